/**
 * Streams the raw body of a request to a consumer that writes it to disk: nothing is read ahead,
 * and nothing is kept.
 *
 * The duration of an upload depends on its size, so it has no timeout but a minimum rate: in each
 * period of `bodyTimeoutMs` that the node waits for the client, so many bytes must arrive. Time in
 * which the disk is busy does not count. As it may take hours, it ends with the key of its caller.
 */
import { SkeinError } from '@skein/api';
import type { BudgetHold } from '@skein/api/shared-budget';
import type { NodeExchange } from '../exchange/exchange.ts';

/** Memory of an upload in progress: the buffers of the socket and the file. */
const BUFFERED_BYTES = 256 * 1024;

export interface UploadLimits {
  /** Bytes of an uploaded file. */
  readonly maxUploadBytes: number;
  /** Time over which the rate of an upload is measured, in milliseconds. */
  readonly bodyTimeoutMs: number;
  /** Slowest accepted upload, on average over `bodyTimeoutMs`. */
  readonly minUploadBytesPerSecond: number;
}

/**
 * An announced length is compared with `maxUploadBytes` before the first byte is read; without a
 * length, the consumer counts the bytes.
 *
 * @param hold counts the memory of the upload; the caller releases it.
 * @param watch calls back when the key of the caller is no longer valid; returns an unsubscribe function.
 * @throws SkeinError BODY_TOO_LARGE, BODIES_TOO_LARGE, BODY_TOO_SLOW, ENCODING_UNSUPPORTED,
 *   CANCELLED, and what `watch` gives, from the iteration.
 */
export async function* readUpload(
  { request, response, expectsContinue }: NodeExchange,
  limits: UploadLimits,
  hold: BudgetHold,
  watch: (onEnd: (error: SkeinError) => void) => () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { 'content-length': announced = 0, 'content-encoding': encoding = 'identity' } =
    request.headers;
  if (encoding.toLowerCase() !== 'identity') {
    throw new SkeinError(
      'ENCODING_UNSUPPORTED',
      `The file has the Content-Encoding "${encoding}"; files are stored unchanged.`,
    );
  }
  if (Number(announced) > limits.maxUploadBytes) {
    throw new SkeinError(
      'BODY_TOO_LARGE',
      `The file has ${announced} bytes; the node accepts up to ${limits.maxUploadBytes}.`,
    );
  }
  hold.take(BUFFERED_BYTES);
  if (expectsContinue) response.writeContinue();
  // Not destroyed when the consumer stops: the answer must still be sent over the same socket.
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  const paced = pacedWait(limits);
  const unwatch = watch(paced.end);
  try {
    for (;;) {
      const next = await paced.wait(chunks.next());
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    if (error instanceof SkeinError) throw error;
    throw new SkeinError('CANCELLED', 'The client disconnected before its body was complete.', {
      cause: error,
    });
  } finally {
    unwatch();
    void chunks.return?.().catch(() => {});
  }
}

type Next = IteratorResult<Uint8Array>;

interface PacedWait {
  readonly wait: (piece: Promise<Next>) => Promise<Next>;
  /** The wait that is in progress, or else the next one, rejects with it. */
  readonly end: (error: Error) => void;
}

/** Waits for each piece, and rejects if too few bytes arrive in a period. */
function pacedWait({ bodyTimeoutMs, minUploadBytesPerSecond }: UploadLimits): PacedWait {
  const wanted = Math.max(1, (minUploadBytesPerSecond * bodyTimeoutMs) / 1000);
  let waitedMs = 0;
  let bytes = 0;
  let ended: Error | undefined;
  let rejectWait: (error: Error) => void = () => {};

  async function wait(piece: Promise<Next>): Promise<Next> {
    const startedAt = performance.now();
    const { promise: late, reject } = Promise.withResolvers<never>();
    rejectWait = reject;
    let timer: NodeJS.Timeout;
    const checkIn = (ms: number): void => {
      timer = setTimeout(() => {
        if (bytes < wanted) {
          const message = `${bytes} bytes of the file arrived in ${bodyTimeoutMs} ms; an upload must send at least ${wanted} in that time.`;
          reject(new SkeinError('BODY_TOO_SLOW', message));
          return;
        }
        bytes = 0;
        waitedMs -= bodyTimeoutMs;
        checkIn(bodyTimeoutMs);
      }, ms);
    };
    checkIn(bodyTimeoutMs - waitedMs);
    try {
      if (ended !== undefined) throw ended;
      const next = await Promise.race([piece, late]);
      waitedMs += performance.now() - startedAt;
      bytes += next.value?.length ?? 0;
      return next;
    } finally {
      clearTimeout(timer!);
      piece.catch(() => {});
    }
  }
  return {
    wait,
    end(error) {
      ended = error;
      rejectWait(error);
    },
  };
}
