/** p99 while a version is swapped over p99 in the quiet, at half of the capacity, open loop. */
import { runLoad, type LoadReport } from '@skein/cli';
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

/** The same graph under another digest: the model's own bytes with a further metadata entry (field 14 of ModelProto). */
export function otherVersion(model: BenchModel): Uint8Array<ArrayBuffer> {
  const entry = Buffer.concat([
    Buffer.from([0x0a, 5]),
    Buffer.from('bench'),
    Buffer.from([0x12, 1]),
    Buffer.from('2'),
  ]);
  return new Uint8Array(
    Buffer.concat([modelBytes(model), Buffer.from([(14 << 3) | 2, entry.length]), entry]),
  );
}
