/**
 * Requests per second of images in JSON, by a node with several gateway threads over a node with one. The
 * model takes the mean of an image, so that the gateway has nearly all of the work.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { GraphBuilder, seededRandom, writeModel } from '@skein/onnx';
import { closedLoop } from '../harness/h2load.ts';
import { launchNode, type NodeProcess } from '../harness/node.ts';
import { median } from '../harness/statistics.ts';

const CONNECTIONS = 16;
const SHAPE = [1, 3, 224, 224];
const NAME = 'mean';
/** The same warm-up as for other throughput: see `throughput.ts`. */
const WARM_UP_SECONDS = 0.3;
const FIRST_WARM_UP_SECONDS = 2;

export interface GatewayThreads {
  /** The median over the rounds. */
  readonly speedup: number;
  readonly threads: number;
  /** Requests per second with one thread, and with so many. */
  readonly rates: readonly [one: number, several: number];
}

/** Alternates between the two, round by round. Four threads, or one per core where there are fewer. */
export async function measureGatewayThreads(
  folder: string,
  rounds: number,
  seconds: number,
): Promise<GatewayThreads> {
  const threads = Math.max(2, Math.min(4, availableParallelism()));
  const nodes: NodeProcess[] = [];
  try {
    for (const count of [1, threads]) {
      const options = ['--gateway-threads', String(count)];
      const node = await launchNode({ dataFolder: join(folder, `gateway-${count}`), options });
      nodes.push(node);
      await serveMean(node);
    }
    const body = imageBody();
    const rateOf = async ({ url }: NodeProcess, warmUpSeconds: number): Promise<number> => {
      const target = { url: `${url}/v2/models/${NAME}/infer`, ...body };
      const load = { connections: CONNECTIONS, seconds, warmUpSeconds, yields: true } as const;
      return (await closedLoop({ ...target, ...load, protocol: 'http1' })).requestsPerSecond;
    };
    const rates: [number, number][] = [];
    for (let round = 0; round < rounds; round++) {
      const taken: [number, number] = [0, 0];
      const warmUp = round === 0 ? FIRST_WARM_UP_SECONDS : WARM_UP_SECONDS;
      for (const side of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        taken[side] = await rateOf(nodes[side]!, warmUp);
      }
      rates.push(taken);
    }
    return {
      speedup: median(rates.map(([one, several]) => several / one)),
      threads,
      rates: [median(rates.map(([one]) => one)), median(rates.map(([, several]) => several))],
    };
  } finally {
    for (const node of nodes) await node.stop();
  }
}

async function serveMean(node: NodeProcess): Promise<void> {
  const graph = new GraphBuilder(NAME);
  const image = graph.input('image', 'float32', ['n', ...SHAPE.slice(1)]);
  const [mean] = graph.node('ReduceMean', [image], { axes: [1, 2, 3], keepdims: 0 });
  graph.output(mean, 'float32', ['n']);
  const content = writeModel(graph.model()) as Uint8Array<ArrayBuffer>;
  const { version } = await node.client.importModel({ name: NAME, content });
  const settings = { threads: 1, objective: { latencyMs: 10_000 } };
  await node.client.deploy({ name: NAME, version, settings });
}

function imageBody() {
  const random = seededRandom(5);
  const length = SHAPE.reduce((all, size) => all * size);
  const data = Array.from({ length }, () => Math.fround(Math.round(random.next() * 255) / 255));
  const inputs = [{ name: 'image', shape: SHAPE, datatype: 'FP32', data }];
  return {
    body: Buffer.from(JSON.stringify({ inputs })),
    headers: { 'content-type': 'application/json' },
  };
}
