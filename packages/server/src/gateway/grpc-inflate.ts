/**
 * Decompresses messages inside bounds: what a message becomes is counted while it grows, and it is
 * given up where it passes its limit. A kilobyte can become a megabyte, so nothing is inflated before
 * its caller is known.
 *
 * Few messages are inflated at once, and tenants take turns: one that sends many waits for itself.
 */
import { createGunzip, createInflate } from 'node:zlib';
import { SkeinError } from '@skein/api';
import { messageTooLarge } from './message-framer.ts';

/** As many as libuv has threads by default; more would only wait there. */
const AT_ONCE = 4;
/** What is counted at a time. */
const CHUNK_BYTES = 128 * 1024;

/** `grpc-encoding` by what undoes it. */
const DECOMPRESSORS = { gzip: createGunzip, deflate: createInflate } as const;
export const ACCEPTED_ENCODINGS = 'identity,deflate,gzip';

export interface InflateLimits {
  readonly tenant: string;
  /** Largest message after it is decompressed. */
  readonly maxBytes: number;
  /** Counts what has been inflated. Throws when it is too much, or when the call is over. */
  readonly take: (bytes: number) => void;
}

export interface Inflater {
  /**
   * @param encoding as `grpc-encoding` has it.
   * @throws SkeinError ENCODING_UNSUPPORTED, REQUEST_INVALID, BODY_TOO_LARGE, or what `take` throws.
   */
  inflate(compressed: Uint8Array, encoding: string, limits: InflateLimits): Promise<Buffer>;
}

export function createInflater(): Inflater {
  /** By tenant, in the order of their turns. */
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
    // A copy even of one part, which may be a small piece of a whole chunk.
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
