/**
 * p99 while a version is swapped over p99 in the quiet, at half of the capacity, open loop.
 *
 * A short window has some forty requests, so its p99 is the slowest of them, in the quiet as well:
 * windows follow each other in pairs of the same arrivals, and the ratio is the median over pairs.
 */
import { runLoad, type LoadReport } from '@skein/load';
import { elementTypeNumber, readModel, writeModel } from '@skein/onnx';
import { OBJECTIVE_MS } from './overload.ts';
import { binaryBody, modelBytes, type BenchModel } from './models.ts';
import type { NodeProcess } from '../harness/node.ts';
import { median } from '../harness/statistics.ts';

export interface Rollout {
  /** The median over the pairs of windows, as the times are. */
  readonly p99Ratio: number;
  readonly steadyP99Ms: number;
  readonly swapP99Ms: number;
  /** In all windows. */
  readonly dropped: number;
}

export async function measureRollout(
  node: NodeProcess,
  model: BenchModel,
  pairs: number,
  ratePerSecond: number,
  seconds: number,
): Promise<Rollout> {
  const body = binaryBody(model);
  const load = (seed: number): Promise<LoadReport> =>
    runLoad({
      target: {
        protocol: 'http',
        host: '127.0.0.1',
        port: node.port,
        path: `/v2/models/${model.name}/infer`,
        headers: body.headers,
        bodies: [body.bytes],
      },
      mode: { kind: 'open', arrivals: 'poisson', rate: ratePerSecond },
      durationMs: seconds * 1000,
      warmupMs: 500,
      timeoutMs: 10_000,
      objectiveMs: OBJECTIVE_MS,
      seed,
    });
  const windows: { readonly steady: LoadReport; readonly swap: LoadReport }[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    const steady = await load(pair);
    const loading = load(pair);
    await new Promise((resolve) => setTimeout(resolve, 700));
    const { version } = await node.client.importModel({
      name: model.name,
      content: otherVersion(model, pair),
    });
    await node.client.deploy({ name: model.name, version, plan: { strategy: 'immediate' } });
    windows.push({ steady, swap: await loading });
  }
  const p99 = ({ latency }: LoadReport): number => latency.p99Ms ?? Number.NaN;
  return {
    p99Ratio: median(windows.map(({ steady, swap }) => p99(swap) / p99(steady))),
    steadyP99Ms: median(windows.map(({ steady }) => p99(steady))),
    swapP99Ms: median(windows.map(({ swap }) => p99(swap))),
    dropped: windows.reduce((sum, { swap }) => sum + notAnswered(swap), 0),
  };
}

function notAnswered({ failed, refused }: LoadReport): number {
  const counts = [...Object.values(failed), ...Object.values(refused)];
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Factor of the largest tensor, once more for each version: the answers stay sensible, and differ. */
const FACTOR = 1.001;

/** The same graph with other weights, which a runtime cannot take for the same model. */
export function otherVersion(model: BenchModel, index = 1): Uint8Array<ArrayBuffer> {
  const other = readModel(modelBytes(model));
  const FLOAT = elementTypeNumber('float32');
  const { initializer = [], node = [] } = other.graph ?? {};
  // Some exporters write weights as nodes that give a constant.
  const constants = node.flatMap(({ attribute }) => attribute.flatMap(({ t }) => t ?? []));
  const weights = [...initializer, ...constants]
    .filter(({ dataType, rawData }) => dataType === FLOAT && rawData.byteLength > 0)
    .toSorted((one, next) => next.rawData.byteLength - one.rawData.byteLength)[0];
  if (weights === undefined) throw new Error(`${model.name} has no weights to change.`);
  // A copy, because the view may not be aligned.
  const numbers = new Float32Array(weights.rawData.slice().buffer);
  weights.rawData = new Uint8Array(numbers.map((number) => number * FACTOR ** index).buffer);
  return new Uint8Array(writeModel(other));
}
