/**
 * Caches answers by the digest of their request: bounded in bytes, least recently used evicted
 * first, each for at most its time to live. Requests with the digest of a running one wait for that
 * run instead of starting their own.
 *
 * The holder of a tensor that leaves the node may transfer or overwrite it, so the cache keeps its
 * own copy and returns copies: a hit costs one copy of its outputs.
 */
import { SkeinError } from '@skein/api';
import { timerMs } from '@skein/api/waits';
import type { TensorMap } from '@skein/onnx';
import type { Clock, InferenceAnswer, Instant, TargetRequest } from '../contract.ts';
import { copyTensors } from './tensor-copy.ts';

export interface CacheLimits {
  readonly maxBytes: number;
  readonly ttlMs: number;
}

export interface ResponseCache {
  /**
   * The answer to a request: cached, shared with a running one, or new.
   *
   * @param digest of the request, see `requestDigest`.
   * @param run submits the request; called at most once.
   * @throws SkeinError as `run` does; DEADLINE_EXCEEDED and CANCELLED while waiting for another
   *   request's run.
   */
  answer(
    digest: string,
    request: TargetRequest,
    run: () => Promise<InferenceAnswer>,
  ): Promise<InferenceAnswer>;
  /** Clears the cache; runs in progress are not stored either. */
  clear(): void;
  /** Current size in bytes, bookkeeping included. */
  readonly bytes: number;
}

interface Entry {
  readonly version: string;
  readonly outputs: TensorMap;
  readonly bytes: number;
  readonly expiresAt: Instant;
}

/** Size of an entry without its bytes: keys, shapes and objects. */
const OVERHEAD_BYTES = 512;

const NO_TIMES = { queueMs: 0, computeMs: 0, batchRows: 0 };

export function createResponseCache(limits: CacheLimits, clock: Clock): ResponseCache {
  // A Map keeps the order of insertion: the first entry is the least recently used.
  const entries = new Map<string, Entry>();
  const running = new Map<string, Promise<Entry | undefined>>();
  let bytes = 0;
  let generation = 0;

  const remove = (digest: string, entry: Entry): void => {
    entries.delete(digest);
    bytes -= entry.bytes;
  };

  const find = (digest: string): Entry | undefined => {
    const entry = entries.get(digest);
    if (entry === undefined) return undefined;
    if (entry.expiresAt <= clock.now()) {
      remove(digest, entry);
      return undefined;
    }
    entries.delete(digest);
    entries.set(digest, entry);
    return entry;
  };

  const keep = (digest: string, entry: Entry): void => {
    if (entry.bytes > limits.maxBytes) return;
    const before = entries.get(digest);
    if (before !== undefined) remove(digest, before);
    entries.set(digest, entry);
    bytes += entry.bytes;
    for (const [oldest, candidate] of entries) {
      if (bytes <= limits.maxBytes) break;
      remove(oldest, candidate);
    }
  };

  /** Runs the request for itself and for all concurrent requests with its digest. */
  const lead = async (
    digest: string,
    run: () => Promise<InferenceAnswer>,
  ): Promise<InferenceAnswer> => {
    const startedIn = generation;
    let share!: (entry: Entry | undefined) => void;
    const shared = new Promise<Entry | undefined>((resolve) => (share = resolve));
    running.set(digest, shared);
    let entry: Entry | undefined;
    try {
      const answer = await run();
      const outputs = copyTensors(answer.outputs);
      entry = {
        version: answer.version,
        outputs,
        bytes: sizeOf(outputs) + OVERHEAD_BYTES,
        expiresAt: clock.now() + limits.ttlMs,
      };
      if (startedIn === generation) keep(digest, entry);
      return answer;
    } finally {
      if (running.get(digest) === shared) running.delete(digest);
      // A failure is not shared: it may be this caller's deadline or disconnect.
      share(entry);
    }
  };

  return {
    async answer(digest, request, run) {
      for (;;) {
        const entry = find(digest);
        if (entry !== undefined) return answerFrom(entry);
        const other = running.get(digest);
        if (other === undefined) return lead(digest, run);
        const shared = await withinDeadline(other, request, clock);
        if (shared !== undefined) return answerFrom(shared);
      }
    },
    clear() {
      generation++;
      entries.clear();
      running.clear();
      bytes = 0;
    },
    get bytes() {
      return bytes;
    },
  };
}

/** Waits for another request's run, but no longer than this request may take. */
async function withinDeadline<T>(
  other: Promise<T>,
  { cancellation, deadline }: TargetRequest,
  clock: Clock,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const left = new Promise<never>((_, reject) => {
    const cancelled = (): void =>
      reject(new SkeinError('CANCELLED', 'The client cancelled the request.'));
    if (cancellation?.cancelled) cancelled();
    else if (cancellation !== undefined) cancellation.onCancel = cancelled;
    timer = setTimeout(
      () =>
        reject(
          new SkeinError('DEADLINE_EXCEEDED', 'The deadline passed while an equal request ran.'),
        ),
      timerMs(deadline - clock.now()),
    );
  });
  try {
    return await Promise.race([other, left]);
  } finally {
    clearTimeout(timer);
    if (cancellation !== undefined) cancellation.onCancel = undefined;
  }
}

function answerFrom(entry: Entry): InferenceAnswer {
  return {
    version: entry.version,
    outputs: copyTensors(entry.outputs),
    times: NO_TIMES,
    cached: true,
  };
}

function sizeOf(tensors: TensorMap): number {
  let size = 0;
  for (const tensor of tensors.values()) {
    if (tensor.type !== 'string') size += tensor.bytes.byteLength;
    else for (const element of tensor.elements) size += element.byteLength + 64;
  }
  return size;
}
