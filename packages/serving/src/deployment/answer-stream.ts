/**
 * Runs a request on a target that streams, and holds it to two bounds: the first chunk by the
 * deadline, each later one within `gapMs` of the moment at which the reader asks for it. A slow
 * reader asks late, so its time does not count, and no chunk is fetched before it is asked for.
 *
 * The stream ends without an error only when the target has ended it. If it fails, is late or is
 * cancelled, the reader gets an error and the target is cancelled: an incomplete answer never ends like a
 * complete one.
 */
import { SkeinError } from '@skein/api';
import { timerMs } from '@skein/api/waits';
import type { TensorMap } from '@skein/onnx';
import {
  Cancellation,
  type Clock,
  type InferenceAnswer,
  type ServingObserver,
  type Target,
  type TargetRequest,
} from '../contract.ts';
import { cancelled } from '../dispatch/loop/pending.ts';

/**
 * The observer gets the answer with its first chunk, for which the deadline is; a failure after it
 * is reported as well, a cancellation after it is not.
 *
 * @param gapMs longest wait for a chunk after the first, in milliseconds.
 * @throws SkeinError until the first chunk; later ones throw while they are read.
 */
export async function answerInChunks(
  target: Target,
  request: TargetRequest,
  gapMs: number,
  clock: Clock,
  observer: ServingObserver,
): Promise<InferenceAnswer> {
  const cancellation = new Cancellation();
  /** The error that ended the stream early. */
  let failure: unknown;
  let isComplete = false;
  let isAnswered = false;
  let chunks: AsyncIterator<TensorMap> | undefined;
  /** Rejects the chunk that is awaited now. */
  let rejectAwaited: (error: unknown) => void = () => {};

  function stop(reason: unknown): void {
    if (failure !== undefined || isComplete) return;
    failure = reason;
    const known =
      reason instanceof SkeinError ? reason : new SkeinError('INTERNAL', 'The target failed.');
    if (!isAnswered || known.code !== 'CANCELLED') observer.refused(request, known, clock.now());
    cancellation.cancel();
    // It may wait for a chunk that never comes, so this is not awaited.
    chunks?.return?.().catch(() => {});
    rejectAwaited(reason);
  }

  async function within<T>(ms: number, late: () => SkeinError, work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    rejectAwaited = reject;
    const timer = setTimeout(() => stop(late()), timerMs(ms));
    work().then(resolve, stop);
    return promise.finally(() => clearTimeout(timer));
  }

  const { id } = request;
  if (request.cancellation?.cancelled === true) stop(cancelled(request));
  if (failure !== undefined) throw failure;
  if (request.cancellation !== undefined) {
    request.cancellation.onCancel = () => stop(cancelled(request));
  }
  const first = await within(
    request.deadline - clock.now(),
    () => new SkeinError('DEADLINE_EXCEEDED', `Request ${id} had no chunk by its deadline.`),
    () => target.submit({ ...request, cancellation }),
  );
  isAnswered = true;
  observer.answered(request, first, clock.now());
  if (first.rest === undefined) {
    isComplete = true;
    return first;
  }
  const source = (chunks = first.rest[Symbol.asyncIterator]());
  const rest: AsyncIterableIterator<TensorMap> = {
    [Symbol.asyncIterator]: () => rest,
    async next() {
      if (failure !== undefined) throw failure;
      if (isComplete) return { done: true, value: undefined };
      const step = await within(
        gapMs,
        () => new SkeinError('STREAM_STALLED', `Request ${id} had no next chunk in ${gapMs} ms.`),
        () => source.next(),
      );
      if (step.done === true) isComplete = true;
      return step;
    },
    async return() {
      stop(cancelled(request));
      return { done: true, value: undefined };
    },
  };
  return { ...first, rest };
}
