import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SkeinError } from '@skein/api';
import { values, type NumericTensor, type TensorMap } from '@skein/onnx';
import { Cancellation, type InferenceAnswer, type InferenceRequest } from '../contract.ts';
import { constant, type Script } from '../testing/scripted-target.ts';
import { ACTOR, codeOf, openScene, request } from '../testing/scene.ts';

const GAP_MS = 500;
const never = new Promise<never>(() => {});
const numberOf = (outputs: TensorMap): number =>
  Number(values(outputs.get('y') as NumericTensor)[0]);

afterEach(() => void vi.useRealTimers());

/** A deployment of a target that streams, with timers that the test moves. */
async function open(stream: NonNullable<Script['stream']>, settings = {}) {
  const scene = await openScene();
  await scene.version('tokens', { stream });
  const objective = { latencyMs: GAP_MS };
  await scene.serving.deploy(
    { name: 'tokens', version: '1', settings: { objective, ...settings } },
    ACTOR,
  );
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const infer = (more: Partial<InferenceRequest> = {}): Promise<InferenceAnswer> =>
    scene.serving.infer(request('tokens', { takesChunks: true, ...more }));
  const isCancelled = (): boolean => scene.targets[0]!.requests[0]!.cancellation!.cancelled;
  return { ...scene, infer, isCancelled };
}

/** Chunks that the test writes one by one. */
function source(...numbers: number[]): PassThrough {
  const chunks = new PassThrough({ objectMode: true });
  for (const number of numbers) chunks.write(constant(number));
  return chunks;
}

async function read(rest: AsyncIterable<TensorMap>): Promise<number[]> {
  const numbers: number[] = [];
  for await (const outputs of rest) numbers.push(numberOf(outputs));
  return numbers;
}

describe('an answer of many chunks', () => {
  it('begins with the first and ends when its target has ended it', async () => {
    const chunks = source(1, 2, 3);
    const { infer, observed, isCancelled } = await open(() => chunks);
    const { version, outputs, rest } = await infer();
    expect([version, numberOf(outputs)]).toEqual(['1', 1]);
    chunks.end();
    expect(await read(rest!)).toEqual([2, 3]);
    expect(observed.answered).toHaveLength(1);
    expect([observed.refused, isCancelled()]).toEqual([[], false]);
  });

  it('that fails throws what came before as a part, and counts as a failure', async () => {
    const { infer, observed } = await open(async function* () {
      yield constant(1);
      yield constant(2);
      throw new SkeinError('REPLICA_LOST', 'The replica is gone.');
    });
    const { rest } = await infer();
    const chunks = rest![Symbol.asyncIterator]();
    expect(numberOf((await chunks.next()).value as TensorMap)).toBe(2);
    expect(await codeOf(chunks.next())).toBe('REPLICA_LOST');
    // A second read does not report a complete answer either.
    expect(await codeOf(chunks.next())).toBe('REPLICA_LOST');
    expect(observed.refused).toEqual(['REPLICA_LOST']);
  });

  it('has its first chunk by the deadline; the whole may take longer', async () => {
    const late = await open(async function* () {
      yield await never;
    });
    const code = codeOf(late.infer({ deadline: performance.now() + 80 }));
    await vi.advanceTimersByTimeAsync(80);
    expect(await code).toBe('DEADLINE_EXCEEDED');
    expect([late.observed.refused, late.isCancelled()]).toEqual([['DEADLINE_EXCEEDED'], true]);

    const chunks = source(1);
    const long = await open(() => chunks);
    const { rest } = await long.infer({ deadline: performance.now() + 80 });
    const reading = read(rest!);
    for (const number of [2, 3, 4]) {
      await vi.advanceTimersByTimeAsync(GAP_MS - 1);
      chunks.write(constant(number));
      await vi.advanceTimersByTimeAsync(0);
    }
    chunks.end();
    expect(await reading).toEqual([2, 3, 4]);
  });

  it('is ended when the next chunk does not come within the objective', async () => {
    const { infer, observed, isCancelled } = await open(async function* () {
      yield constant(1);
      yield await never;
    });
    const { rest } = await infer();
    const code = codeOf(read(rest!));
    await vi.advanceTimersByTimeAsync(GAP_MS - 1);
    expect(isCancelled()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await code).toBe('STREAM_STALLED');
    expect([observed.refused, isCancelled()]).toEqual([['STREAM_STALLED'], true]);
  });

  it('is not ended for a slow reader, and makes no chunk that was not asked for', async () => {
    let made = 0;
    const { infer } = await open(async function* () {
      for (;;) yield constant(++made);
    });
    const { rest } = await infer();
    await vi.advanceTimersByTimeAsync(100 * GAP_MS);
    expect(made).toBe(1);
    const chunks = rest![Symbol.asyncIterator]();
    expect(numberOf((await chunks.next()).value as TensorMap)).toBe(2);
    expect(made).toBe(2);
  });

  it.each(['before', 'while'])('is cancelled by its client %s a chunk is awaited', async (when) => {
    const cancellation = new Cancellation();
    // A target that ends its stream as soon as it is cancelled, as a loop over tokens would.
    const { infer, isCancelled } = await open(async function* ({ cancellation: own }) {
      yield constant(1);
      await new Promise<void>((resolve) => (own!.onCancel = resolve));
    });
    const { rest } = await infer({ cancellation });
    if (when === 'before') cancellation.cancel();
    const code = codeOf(read(rest!));
    if (when === 'while') cancellation.cancel();
    expect(await code).toBe('CANCELLED');
    expect(isCancelled()).toBe(true);
  });

  it('is cancelled by a reader that leaves, even one that has read nothing', async () => {
    const chunks = source(1, 2);
    const { infer, isCancelled, observed } = await open(() => chunks);
    const { rest } = await infer();
    await rest![Symbol.asyncIterator]().return!();
    expect(isCancelled()).toBe(true);
    await vi.waitFor(() => expect(chunks.destroyed).toBe(true));
    expect(observed.refused).toEqual([]);
  });

  it('is refused to a caller that cannot read it, and never cached', async () => {
    const { infer, targets, observed } = await open(
      async function* () {
        yield constant(1);
        yield constant(2);
      },
      { cache: { maxBytes: 1_000_000, ttlMs: 60_000 } },
    );
    expect(await codeOf(infer({ takesChunks: false }))).toBe('STREAM_REQUIRED');
    expect([targets[0]!.requests, observed.refused]).toEqual([[], ['STREAM_REQUIRED']]);
    for (const _ of [1, 2]) {
      const { cached, rest } = await infer();
      expect([cached, await read(rest!)]).toEqual([false, [2]]);
    }
  });
});

it('the answer of a tensor model is one chunk', async () => {
  const scene = await openScene();
  await scene.version('risk');
  await scene.serving.deploy({ name: 'risk', version: '1' }, ACTOR);
  const { outputs, rest } = await scene.serving.infer(request('risk', { takesChunks: true }));
  expect([numberOf(outputs), rest]).toEqual([1, undefined]);
});
