/**
 * The time from when a request was due to its card, in an open loop of Poisson arrivals. Each call has a token of its own,
 * and its audit entry is on the disk before the answer. Tokens are signed before the loop.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@skein/onnx';
import type { RowGroup } from '../harness/row-group.ts';
import { quantile } from '../harness/statistics.ts';
import { cardIn, resourceAt, viewToday, withService, type Hospital } from './service.ts';

const RATE = 20;
/** Requests before those that count: a new process compiles its code meanwhile. */
const WARM_UP = 100;
const READ_MS = 50;
const SEED = 42;

export const LATENCY: RowGroup = {
  measures: [
    {
      key: 'cds_p99_ms',
      what: `card, chart prefetched, ${RATE} requests a second, ES384, audit entry on the disk first, p99`,
      unit: ' ms',
      target: { atMost: 60 },
    },
    {
      key: 'cds_fetch_p99_ms',
      what: `… nothing prefetched, a FHIR server that takes ${READ_MS} ms a read`,
      unit: ' ms',
      target: { atMost: 300 },
    },
  ],
  async measure({ quick, progress }) {
    const requests = quick ? 160 : 1200;
    const fhir = await slowFhirServer();
    try {
      return await withService({ fhirServers: [fhir.url] }, async (hospital) => {
        progress(`latency: ${requests} requests with the chart prefetched`);
        const load = loadavg()[0]!;
        const prefetched = await cardTimes(hospital, requests, () => viewToday());
        progress(`latency: ${requests} requests with nothing prefetched`);
        const fetched = await cardTimes(hospital, requests, () =>
          viewToday({ prefetch: undefined, fhirServer: fhir.url }),
        );
        return {
          results: {
            cds_p99_ms: quantile(prefetched, 0.99),
            cds_fetch_p99_ms: quantile(fetched, 0.99),
          },
          details: {
            cds_latency: {
              requests,
              load,
              prefetchedMs: summary(prefetched),
              fetchedMs: summary(fetched),
            },
          },
        };
      });
    } finally {
      await fhir.close();
    }
  },
};

/** Milliseconds of each request. @throws Error at an answer without a card. */
async function cardTimes(
  hospital: Hospital,
  requests: number,
  bodyOf: () => object,
): Promise<readonly number[]> {
  const calls: { token: string; body: object }[] = [];
  for (let i = 0; i < WARM_UP + requests; i++) {
    calls.push({ token: await hospital.token(), body: bodyOf() });
  }
  const random = seededRandom(SEED);
  const times: Promise<number>[] = [];
  let due = performance.now();
  for (const { token, body } of calls) {
    due += (-Math.log(1 - random.next()) * 1000) / RATE;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    times.push(timed(hospital, body, token, due));
  }
  return (await Promise.all(times)).slice(WARM_UP);
}

async function timed(
  hospital: Hospital,
  body: object,
  token: string,
  due: number,
): Promise<number> {
  const answer = await hospital.view(body, token);
  const time = performance.now() - due;
  cardIn(answer);
  return time;
}

const summary = (times: readonly number[]) => ({
  p50: quantile(times, 0.5),
  p95: quantile(times, 0.95),
  p99: quantile(times, 0.99),
  worst: Math.max(...times),
});

async function slowFhirServer() {
  const server = createServer((request, response) => {
    setTimeout(() => {
      response.setHeader('Content-Type', 'application/fhir+json');
      response.end(JSON.stringify(resourceAt(request.url!)));
    }, READ_MS);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
