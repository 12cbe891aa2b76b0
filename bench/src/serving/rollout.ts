/** p99 while a version is swapped over p99 in the quiet, at half of the capacity, open loop. */
import { runLoad, type LoadReport } from '@skein/load';
import { elementTypeNumber, readModel, writeModel } from '@skein/onnx';
import { OBJECTIVE_MS } from './overload.ts';
import { binaryBody, modelBytes, type BenchModel } from './models.ts';
import type { SkeinNode } from './servers.ts';

export interface Rollout {
  readonly p99Ratio: number;
  readonly steadyP99Ms: number;
  readonly swapP99Ms: number;
  readonly dropped: number;
}

/**
 * @param swap what takes over: other weights, so that it really is another version.
 */
export async function measureRollout(
  node: SkeinNode,
  model: BenchModel,
  swap: Uint8Array<ArrayBuffer>,
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
  const steady = await load(1);
  const loading = load(2);
  await new Promise((resolve) => setTimeout(resolve, 700));
  const { version } = await node.client.importModel({ name: model.name, content: swap });
  await node.client.deploy({ name: model.name, version, plan: { strategy: 'immediate' } });
  const during = await loading;
  const lost = Object.values(during.failed).reduce((sum, count) => sum + count, 0);
  const refused = Object.values(during.refused).reduce((sum, count) => sum + count, 0);
  const [steadyP99Ms, swapP99Ms] = [
    steady.latency.p99Ms ?? Number.NaN,
    during.latency.p99Ms ?? Number.NaN,
  ];
  return { p99Ratio: swapP99Ms / steadyP99Ms, steadyP99Ms, swapP99Ms, dropped: lost + refused };
}

/** Of the largest tensor: the answers stay sensible, and differ. */
const FACTOR = 1.001;

/** The same graph with other weights, which a runtime cannot take for the same model. */
export function otherVersion(model: BenchModel): Uint8Array<ArrayBuffer> {
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
  weights.rawData = new Uint8Array(numbers.map((number) => number * FACTOR).buffer);
  return new Uint8Array(writeModel(other));
}
