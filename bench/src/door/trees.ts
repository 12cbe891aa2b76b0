/**
 * A boosted model of 500 trees: converted and served by a node, against XGBoost's own predict behind FastAPI.
 * One row of 30 features per request, JSON on both sides, one thread each.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom, writeModel } from '@skein/onnx';
import { convertModel } from '@skein/onnx/convert';
import { temporaryFolder } from '../harness/folder.ts';
import { freePort } from '../harness/free-port.ts';
import { closedLoop } from '../harness/h2load.ts';
import { launch, type ServerProcess } from '../harness/process.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';
import { jsonBody, type BenchModel, type Body } from '../serving/models.ts';
import { deploy, launchSkein } from '../serving/servers.ts';

const CONNECTIONS = 16;
/** Both servers reach their full rate in about so long. */
const WARM_UP_SECONDS = 3;
const PEER = join(import.meta.dirname, '../../peers/fastapi-xgboost');
const PYTHON = '/usr/bin/python3';

export const trees: RowGroup = {
  measures: [
    {
      key: 'trees_vs_fastapi',
      what: 'rows/s, 500 boosted trees, 16 connections, JSON: the node over XGBoost behind FastAPI',
      unit: '×',
      target: { atLeast: 2 },
    },
  ],
  async measure({ quick, progress }) {
    progress('training 500 trees');
    const folder = await temporaryFolder();
    const stops: (() => Promise<void>)[] = [];
    try {
      const trained = join(folder.path, 'trees.ubj');
      execFileSync(PYTHON, [join(PEER, 'train.py'), trained]);
      const model = convertedModel(trained, join(folder.path, 'trees.onnx'));
      const peer = await launchTreesPeer(trained);
      stops.push(() => peer.stop());
      const node = await launchSkein(join(folder.path, 'node'));
      stops.push(() => node.stop());
      await deploy(node, model, { objective: { latencyMs: 500, quantile: 0.99 } });
      const urls = {
        node: `${node.url}/v2/models/${model.name}/infer`,
        peer: `${peer.url}/json`,
      };
      await expectEqualAnswers(urls, jsonBody(model));
      progress('rows per second of the node and of the peer, in turn');
      const rates = await measureRates(urls, jsonBody(model), quick ? 3 : 9, quick ? 0.5 : 1);
      return {
        results: { trees_vs_fastapi: median(rates.map((each) => each.node / each.peer)) },
        details: {
          trees: {
            nodeRowsPerSecond: median(rates.map((each) => each.node)),
            peerRowsPerSecond: median(rates.map((each) => each.peer)),
          },
        },
      };
    } finally {
      for (const stop of stops) await stop();
      await folder.remove();
    }
  },
};

type Side = 'node' | 'peer';
type Urls = Readonly<Record<Side, string>>;

function convertedModel(trained: string, path: string): BenchModel {
  const converted = convertModel(readFileSync(trained));
  writeFileSync(path, writeModel(converted.model));
  const random = seededRandom(3);
  const row = Float32Array.from({ length: converted.features }, () => random.next() * 4 - 2);
  return { name: 'trees', path, input: 'x', shape: [1, converted.features], row };
}

async function launchTreesPeer(model: string): Promise<ServerProcess> {
  const port = await freePort();
  const server = ['--port', String(port), '--loop', 'uvloop', '--http', 'httptools'];
  return launch({
    command: PYTHON,
    args: ['-m', 'uvicorn', 'app:app', ...server, '--log-level', 'critical', '--no-access-log'],
    cwd: PEER,
    env: {
      MODEL: model,
      OMP_NUM_THREADS: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
    },
    url: `http://127.0.0.1:${port}`,
    readyPath: '/ready',
  });
}

/** A comparison of two servers that answer differently measures nothing. */
async function expectEqualAnswers(urls: Urls, { bytes, headers }: Body): Promise<void> {
  const [one, other] = await Promise.all(
    [urls.node, urls.peer].map(async (url) => {
      const answer = await fetch(url, { method: 'POST', headers, body: Buffer.from(bytes) });
      const { outputs } = (await answer.json()) as { outputs: { data: number[] }[] };
      return outputs[0]!.data[0]!;
    }),
  );
  if (!(Math.abs(one! - other!) <= 1e-5 * Math.max(1, Math.abs(other!)))) {
    throw new Error(`The node answers ${one}, and XGBoost ${other}.`);
  }
}

/** In turn, and every other round in the opposite order. */
async function measureRates(
  urls: Urls,
  { bytes: body, headers }: Body,
  rounds: number,
  seconds: number,
): Promise<readonly Record<Side, number>[]> {
  const taken: Record<Side, number>[] = [];
  for (let round = 0; round < rounds; round++) {
    const rates = { node: 0, peer: 0 };
    const sides: readonly Side[] = round % 2 === 0 ? ['node', 'peer'] : ['peer', 'node'];
    for (const side of sides) {
      const { requestsPerSecond } = await closedLoop({
        url: urls[side],
        body,
        headers,
        connections: CONNECTIONS,
        seconds,
        warmUpSeconds: round === 0 ? WARM_UP_SECONDS : 0.2,
        yields: true,
        protocol: 'http1',
      });
      rates[side] = requestsPerSecond;
    }
    taken.push(rates);
  }
  return taken;
}
