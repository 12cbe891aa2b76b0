/**
 * The raw body of a request as it arrives, for a consumer that writes it to disk: nothing is read
 * ahead, and nothing is kept.
 */
import { SkeinError } from '@skein/api';
import type { Exchange } from '../http-exchange.ts';
import type { ManagementLimits } from './contract.ts';

/**
 * A length that is announced is held against `maxUploadBytes` before the first byte is read; what
 * comes without one is for the consumer to count.
 *
 * @throws SkeinError BODY_TOO_LARGE, BODY_TOO_SLOW, CANCELLED, out of the iteration.
 */
export async function* readUpload(
  { request, response, expectsContinue }: Exchange,
  limits: Pick<ManagementLimits, 'bodyTimeoutMs' | 'maxUploadBytes'>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limits.maxUploadBytes) {
    throw new SkeinError(
      'BODY_TOO_LARGE',
      `The file has ${announced} bytes; the node accepts up to ${limits.maxUploadBytes}.`,
    );
  }
  if (expectsContinue) response.writeContinue();
  // Not destroyed when the consumer stops: the answer still has to go out over the same socket.
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  try {
    for (;;) {
      const next = await within(chunks.next(), limits.bodyTimeoutMs);
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    if (error instanceof SkeinError) throw error;
    throw new SkeinError('CANCELLED', 'The client left before its body was whole.', {
      cause: error,
    });
  } finally {
    void chunks.return?.().catch(() => {});
  }
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new SkeinError('BODY_TOO_SLOW', `Nothing of the body arrived for ${ms} ms.`));
  }, ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}
