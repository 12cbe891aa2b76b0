/** Where a device reads what a publisher has published: files by their paths, each with a bound on its length. */
import { SkeinError } from '@skein/api/errors';

export type Bytes = Uint8Array<ArrayBuffer>;

export interface Source {
  /** For messages. */
  readonly place: string;
  /**
   * @returns undefined if there is no such file.
   * @throws SkeinError EDGE_UNREACHABLE; EDGE_UNTRUSTED once the file has more than `maxBytes`.
   */
  read(path: string, maxBytes: number): Promise<Bytes | undefined>;
}

/** Buckets answer 403 for an object that is not there, unless the caller may list them. */
const MISSING = [403, 404];

/** Files under an address. A file that is too long is not read to its end. */
export function httpSource(url: string, fetch: typeof globalThis.fetch = globalThis.fetch): Source {
  const base = url.endsWith('/') ? url : `${url}/`;
  return {
    place: base,
    async read(path, maxBytes) {
      const address = new URL(path, base);
      try {
        const response = await fetch(address, { cache: 'no-store' });
        if (!response.ok) {
          await response.body?.cancel();
          if (MISSING.includes(response.status)) return undefined;
          throw new Error(`HTTP status ${response.status}`);
        }
        return await bounded(response.body ?? new ReadableStream(), maxBytes, address.href);
      } catch (error) {
        if (error instanceof SkeinError) throw error;
        const reason =
          ((error as Error).cause as Error | undefined)?.message ?? (error as Error).message;
        throw new SkeinError('EDGE_UNREACHABLE', `${address.href} cannot be read: ${reason}.`, {
          cause: error,
        });
      }
    },
  };
}

/**
 * The bytes of a stream.
 * @throws SkeinError EDGE_UNTRUSTED once it has more than `maxBytes`; the rest is not read.
 */
export async function bounded(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
  what: string,
): Promise<Bytes> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const reader = stream.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.byteLength;
    if (length > maxBytes) {
      await reader.cancel();
      throw tooLong(what, maxBytes);
    }
    parts.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

export function tooLong(what: string, maxBytes: number): SkeinError {
  return new SkeinError('EDGE_UNTRUSTED', `${what} has more than ${maxBytes} bytes.`);
}
