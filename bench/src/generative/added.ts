/**
 * The latency that a node adds to an upstream that answers at once, and its throughput, compared with
 * Portkey's gateway: all as processes, in turns.
 */
import * as http from 'node:http';
import { closedLoop } from '../harness/h2load.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';
import { medianLatency } from '../harness/wrk.ts';
import { bodyFor, startNode, startPortkey, startUpstream, type Door } from './gateways.ts';

const CONNECTIONS = 32;
const STREAMS = 200;

export const ADDED: RowGroup = {
  measures: [
    {
      key: 'gateway_added_ms',
      what: 'added to an upstream, whole answer, p50, one connection',
      unit: ' ms',
      target: { atMost: 0.8 },
    },
    {
      key: 'gateway_added_ttft_ms',
      what: '… to its first token, p50, one connection',
      unit: ' ms',
      target: { atMost: 0.8 },
    },
    {
      key: 'gateway_vs_portkey',
      what: `requests/s through a node over Portkey's gateway, ${CONNECTIONS} connections`,
      unit: '×',
      target: { atLeast: 2 },
    },
  ],
  async measure({ quick, progress }) {
    const [rounds, seconds] = quick ? [1, 1] : [5, 3];
    const upstream = await startUpstream();
    const servers: { stop(): Promise<void> }[] = [upstream];
    const results: Record<string, number> = {};
    const details: Record<string, unknown> = {};
    try {
      const starting = startPortkey(upstream).catch((error: unknown) => {
        details['portkey'] = `not measured: ${String(error)}`;
      });
      const [started] = await Promise.allSettled([startNode(upstream), starting]);
      const portkey = await starting;
      if (portkey !== undefined) servers.push(portkey);
      if (started.status === 'rejected') throw started.reason;
      const node = started.value;
      servers.push(node);
      const gateways = { node, ...(portkey === undefined ? {} : { portkey }) };
      // Until the code is compiled, which takes each gateway thousands of requests.
      const warmUp = quick ? 2 : 3;
      for (const door of Object.values(gateways)) {
        await closedLoop({ ...load(door), seconds: warmUp });
      }

      const body = bodyFor('quick', false);
      const whole = await inTurns({ upstream, node }, rounds, (door) =>
        medianLatency({ ...door, body, seconds }),
      );
      results['gateway_added_ms'] = whole['node']! - whole['upstream']!;
      const first = await inTurns({ upstream, node }, rounds, medianFirstToken);
      results['gateway_added_ttft_ms'] = first['node']! - first['upstream']!;
      const rates = await inTurns(gateways, quick ? 3 : rounds + 1, async (door) => {
        const before = await upstream.requests();
        const { requestsPerSecond, requests } = await closedLoop({ ...load(door), seconds });
        const reached = (await upstream.requests()) - before;
        if (reached < requests) throw new Error(`${requests} answers of ${reached} requests.`);
        return requestsPerSecond;
      });
      if (portkey !== undefined) results['gateway_vs_portkey'] = rates['node']! / rates['portkey']!;
      details['gateway_p50_ms'] = whole;
      details['gateway_ttft_p50_ms'] = first;
      details['gateway_requests_per_second'] = rates;
      progress(`gateways: ${JSON.stringify({ whole, first, rates })}`);
    } finally {
      for (const server of servers.toReversed()) await server.stop();
    }
    return { results, details };
  },
};

function load({ url, headers }: Door) {
  const body = bodyFor('quick', false);
  return {
    url,
    headers,
    body,
    connections: CONNECTIONS,
    protocol: 'http1' as const,
    warmUpSeconds: 0.2,
  };
}

/** The median of each over the rounds. */
async function inTurns(
  doors: Readonly<Record<string, Door>>,
  rounds: number,
  measure: (door: Door) => Promise<number>,
): Promise<Record<string, number>> {
  const measured = Object.keys(doors).map((name) => [name, [] as number[]] as const);
  for (let round = 0; round < rounds; round++) {
    for (const [name, values] of measured) values.push(await measure(doors[name]!));
  }
  return Object.fromEntries(measured.map(([name, values]) => [name, median(values)]));
}

/** Milliseconds to the first text of a stream, over one kept connection. */
async function medianFirstToken({ url, headers }: Door): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const body = bodyFor('quick', true);
  const options = {
    agent,
    method: 'POST',
    headers: { ...headers, 'content-length': String(body.length) },
  };
  const once = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const start = performance.now();
      let firstMs = Number.NaN;
      let text = '';
      const request = http.request(url, options, (response) => {
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          if (!Number.isNaN(firstMs)) return;
          text += piece;
          if (/"content":"[^"]/.test(text)) firstMs = performance.now() - start;
        });
        response.on('end', () => {
          if (Number.isNaN(firstMs)) reject(new Error(`No text from ${url}: ${text}`));
          else resolve(firstMs);
        });
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  try {
    const times: number[] = [];
    for (let stream = 0; stream < STREAMS; stream++) times.push(await once());
    return median(times);
  } finally {
    agent.destroy();
  }
}
