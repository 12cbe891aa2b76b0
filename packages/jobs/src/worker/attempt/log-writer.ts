/**
 * The live log of an attempt on its way to the store: in chunks of a bounded size, one at a time,
 * each at its offset, so that one that is sent again is not stored twice.
 *
 *   write ─► buffer (bounded: the writer waits) ─► chunk ─► appendLog(offset)
 *
 * A program that floods its output is slowed down to the rate of the store, and cut off at the
 * bound of the log; the store never receives more than one chunk of it at a time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { persist } from '../persist.ts';

export interface LogWriter {
  /** Resolves when the buffer takes more; at once in most cases. */
  write(chunk: Uint8Array): Promise<void>;
  /** Resolves when the whole log is stored, or the attempt has become stale. */
  end(): Promise<void>;
}

export interface LogWriterOptions {
  /** @returns false when the attempt is stale. */
  readonly append: (offset: number, chunk: Uint8Array) => Promise<boolean>;
  /** Nothing is written after it. */
  readonly signal: AbortSignal;
  /** Called when the store reports that the attempt is stale. */
  readonly onStale: () => void;
  readonly maxBytes: number;
}

const CHUNK_BYTES = 64 * 1024;
const BUFFER_BYTES = 1024 * 1024;
/** Chunks that arrive within this time are sent together. */
const GATHER_MS = 100;

export function createLogWriter(options: LogWriterOptions): LogWriter {
  const { append, signal, onStale, maxBytes } = options;
  let buffered: Uint8Array[] = [];
  let bufferedBytes = 0;
  let takenBytes = 0;
  let offset = 0;
  let ended = false;
  let stopped = signal.aborted;
  let running: Promise<void> | undefined;
  let space = Promise.withResolvers<void>();
  const hurry = new AbortController();

  signal.addEventListener('abort', stop, { once: true });

  function stop(): void {
    stopped = true;
    buffered = [];
    bufferedBytes = 0;
    space.resolve();
  }

  function take(): Uint8Array {
    const whole = buffered.length === 1 ? buffered[0]! : Buffer.concat(buffered);
    const chunk = whole.subarray(0, CHUNK_BYTES);
    buffered = chunk.byteLength === whole.byteLength ? [] : [whole.subarray(CHUNK_BYTES)];
    bufferedBytes -= chunk.byteLength;
    return chunk;
  }

  async function drain(): Promise<void> {
    while (bufferedBytes > 0 && !stopped) {
      if (bufferedBytes < CHUNK_BYTES && !ended) {
        await sleep(GATHER_MS, undefined, { signal: hurry.signal }).catch(() => undefined);
      }
      if (stopped) break;
      const chunk = take();
      const kept = await persist(() => append(offset, chunk), signal);
      if (kept === false) {
        stop();
        onStale();
      }
      if (kept !== true) break;
      offset += chunk.byteLength;
      space.resolve();
      space = Promise.withResolvers();
    }
    running = undefined;
  }

  return {
    async write(given) {
      if (stopped || given.byteLength === 0 || takenBytes > maxBytes) return;
      const left = maxBytes - takenBytes;
      takenBytes += given.byteLength;
      const fits = given.byteLength <= left ? [given] : [given.subarray(0, left), notice(maxBytes)];
      for (const part of fits) {
        if (part.byteLength === 0) continue;
        buffered.push(part);
        bufferedBytes += part.byteLength;
      }
      running ??= drain();
      while (bufferedBytes > BUFFER_BYTES && !stopped) await space.promise;
    },
    async end() {
      ended = true;
      hurry.abort();
      await running;
      signal.removeEventListener('abort', stop);
    },
  };
}

function notice(maxBytes: number): Uint8Array {
  return Buffer.from(`\n[skein: the log is cut off here, after ${maxBytes} bytes]\n`);
}
