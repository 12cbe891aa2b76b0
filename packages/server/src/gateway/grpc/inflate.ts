/**
 * Decompresses messages within bounds: the output is counted while it grows, and decompression
 * stops at the limit. A kilobyte can become a megabyte, so nothing is decompressed before its
 * caller is known.
 *
 *
 * Few messages are decompressed at once, and tenants alternate: a tenant that sends many waits only
 * behind its own.
 */
import { createGunzip, createInflate } from 'node:zlib';
import { SkeinError } from '@skein/api';
import { messageTooLarge } from './message-framer.ts';

/** As many as libuv has threads by default; more would only wait there. */
const AT_ONCE = 4;
/** Bytes of output that are counted at a time. */
const CHUNK_BYTES = 128 * 1024;

/** Decompressor by `grpc-encoding`. */
const DECOMPRESSORS = { gzip: createGunzip, deflate: createInflate } as const;
export const ACCEPTED_ENCODINGS = 'identity,deflate,gzip';

export interface InflateLimits {
  readonly tenant: string;
  /** Largest message after decompression. */
  readonly maxBytes: number;
  /** Counts decompressed bytes. Throws if there are too many, or if the call has ended. */
  readonly take: (bytes: number) => void;
}

export interface Inflater {
  /**
   * @param encoding the value of `grpc-encoding`.
   * @throws SkeinError ENCODING_UNSUPPORTED, REQUEST_INVALID, BODY_TOO_LARGE, or what `take`
   *   throws.
   */
  inflate(compressed: Uint8Array, encoding: string, limits: InflateLimits): Promise<Buffer>;
}

export function createInflater(): Inflater {
  /** Queues by tenant, in round-robin order. */
  const waiting = new Map<string, (() => void)[]>();
  let running = 0;

  function enter(tenant: string): Promise<void> | undefined {
    if (running < AT_ONCE) {
      running++;
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const queue = waiting.get(tenant);
    if (queue === undefined) waiting.set(tenant, [resolve]);
    else queue.push(resolve);
    return promise;
  }

  function leave(): void {
    const [next] = waiting;
    if (next === undefined) {
      running--;
      return;
    }
    const [tenant, queue] = next;
    const start = queue.shift()!;
    // To the end of the round.
    waiting.delete(tenant);
    if (queue.length > 0) waiting.set(tenant, queue);
    start();
  }

  return {
    async inflate(compressed, encoding, limits) {
      const create = Object.hasOwn(DECOMPRESSORS, encoding)
        ? DECOMPRESSORS[encoding as keyof typeof DECOMPRESSORS]
        : undefined;
      if (create === undefined) throw unsupported(encoding);
      await enter(limits.tenant);
      try {
        return await run(create, compressed, limits);
      } finally {
        leave();
      }
    },
  };
}

function run(
  create: typeof createGunzip,
  compressed: Uint8Array,
  { maxBytes, take }: InflateLimits,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = create({ chunkSize: CHUNK_BYTES });
    const parts: Buffer[] = [];
    let length = 0;
    stream.on('data', (part: Buffer) => {
      try {
        length += part.length;
        if (length > maxBytes) throw messageTooLarge(maxBytes);
        take(part.length);
        parts.push(part);
      } catch (error) {
        stream.destroy();
        reject(error);
      }
    });
    // Copy even a single chunk: it may be a small view of a large buffer.
    stream.on('end', () => resolve(Buffer.concat(parts, length)));
    stream.on('error', () =>
      reject(new SkeinError('REQUEST_INVALID', 'The message could not be decompressed.')),
    );
    stream.end(compressed);
  });
}

function unsupported(encoding: string): SkeinError {
  return new SkeinError(
    'ENCODING_UNSUPPORTED',
    encoding === 'identity'
      ? 'The message is marked as compressed, but grpc-encoding does not say how.'
      : `The message is compressed with an encoding that is not one of ${ACCEPTED_ENCODINGS}.`,
  );
}
