/** The latency that the node adds to a bare `session.run` at one connection: p50, binary protocol. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { median } from '../harness/statistics.ts';
import { medianLatency } from '../harness/wrk.ts';
import { binaryBody, type BenchModel } from './models.ts';
import type { NodeProcess } from '../harness/node.ts';

const BARE = { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 } as const;

export async function bareSession(model: BenchModel): Promise<InferenceSession> {
  return InferenceSession.create(model.path, BARE);
}

export interface AddedLatency {
  readonly addedMs: number;
  readonly bareMs: number;
  readonly servedMs: number;
}

/** Alternates between the two, round by round. */
export async function measureAddedLatency(
  node: NodeProcess,
  model: BenchModel,
  rounds: number,
  seconds: number,
): Promise<AddedLatency> {
  const session = await bareSession(model);
  const { bytes, headers } = binaryBody(model);
  const url = `${node.url}/v2/models/${model.name}/infer`;
  const feeds = { [model.input]: new Tensor('float32', model.row, model.shape) };
  const bare: number[] = [];
  const served: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await bareMedian(session, feeds, seconds));
    served.push(await medianLatency({ url, body: bytes, headers, seconds }));
  }
  await session.release();
  const [bareMs, servedMs] = [median(bare), median(served)];
  return { addedMs: servedMs - bareMs, bareMs, servedMs };
}

async function bareMedian(
  session: InferenceSession,
  feeds: InferenceSession.FeedsType,
  seconds: number,
): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  for (let begun = performance.now(); begun < end; begun = performance.now()) {
    await session.run(feeds);
    times.push(performance.now() - begun);
  }
  return median(times);
}
