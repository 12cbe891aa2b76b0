/**
 * Decompresses bodies and messages within bounds: the output is counted while it grows, and
 * decompression stops at the limit. A kilobyte can become a megabyte, so nothing is decompressed
 * before its caller is known.
 *
 * Few are decompressed at once, over all faces, and tenants alternate: a tenant that sends many waits
 * only behind its own.
 */
import { createGunzip, createInflate } from 'node:zlib';
import { SkeinError } from '@skein/api';
import { freePiece } from '@skein/api/owned-memory';
import { grown, NOTHING } from './growth.ts';

/** The number of libuv's threads by default; more would only wait there. */
const AT_ONCE = 4;
/** Bytes of output that are counted at a time: as many as are expected, within these bounds. */
const MIN_CHUNK_BYTES = 16 * 1024;
const MAX_CHUNK_BYTES = 128 * 1024;
/** A gzip member ends with the length of its data, modulo 2³². */
const LENGTH_BYTES = 4;

/** The old name of gzip is to be taken for it (RFC 9110, section 8.4.1.3). */
const DECOMPRESSORS = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
} as const;
type Encoding = keyof typeof DECOMPRESSORS;

export function isEncoding(name: string): name is Encoding {
  return Object.hasOwn(DECOMPRESSORS, name);
}

interface DecompressLimits {
  readonly tenant: string;
  /** Largest size after decompression. */
  readonly maxBytes: number;
  /** Counts decompressed bytes. Throws if there are too many, or if the request has ended. */
  readonly take: (bytes: number) => void;
  /** See `BudgetHold`. */
  readonly isMuchHeld: () => boolean;
}

/**
 * @param compressed its memory is given back once it has been decompressed.
 * @throws SkeinError REQUEST_INVALID, BODY_TOO_LARGE, or what `take` throws.
 */
type Decompress = (
  compressed: Buffer,
  encoding: Encoding,
  limits: DecompressLimits,
) => Promise<Buffer>;

export function createDecompress(): Decompress {
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

  return async (compressed, encoding, limits) => {
    await enter(limits.tenant);
    try {
      return await run(compressed, encoding, limits);
    } finally {
      leave();
    }
  };
}

/** Memory of all faces of the process. */
export const decompress: Decompress = createDecompress();

function run(
  compressed: Buffer,
  encoding: Encoding,
  { maxBytes, take, isMuchHeld }: DecompressLimits,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const announced = encoding !== 'deflate' ? lengthIn(compressed) : 0;
    const stream = DECOMPRESSORS[encoding]({
      // One byte more, or the end is found with another chunk.
      chunkSize: Math.max(MIN_CHUNK_BYTES, Math.min(announced + 1, MAX_CHUNK_BYTES)),
    });
    let whole = NOTHING;
    let length = 0;
    const fail = (error: unknown): void => {
      freePiece(whole);
      whole = NOTHING;
      reject(error);
    };
    stream.on('data', (part: Buffer) => {
      try {
        const size = length + part.length;
        if (size > maxBytes) throw tooLarge(maxBytes);
        take(part.length);
        if (size > whole.length) {
          whole = grown(whole, size, announced, maxBytes, isMuchHeld());
        }
        part.copy(whole, length);
        length = size;
        // The stream writes into it no more: it takes a new one when one is full.
        freePiece(part);
      } catch (error) {
        stream.destroy();
        fail(error);
      }
    });
    stream.on('end', () => {
      // Not when it fails: a thread may still read it then.
      freePiece(compressed);
      resolve(length === whole.length ? whole : whole.subarray(0, length));
    });
    stream.on('error', (cause) =>
      fail(new SkeinError('REQUEST_INVALID', `The body is not valid ${encoding} data.`, { cause })),
    );
    stream.end(compressed);
  });
}

/** The length that gzip data claim to have once decompressed, in bytes. */
function lengthIn(compressed: Buffer): number {
  const at = compressed.length - LENGTH_BYTES;
  return at < 0 ? 0 : compressed.readUInt32LE(at);
}

function tooLarge(maxBytes: number): SkeinError {
  return new SkeinError(
    'BODY_TOO_LARGE',
    `The body has more than ${maxBytes} bytes once decompressed, which is what the node accepts.`,
  );
}
