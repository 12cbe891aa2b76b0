/**
 * Artifacts as objects of a bucket, each under its digest.
 *
 * The name of an artifact is known only once all of it has been read. A put therefore writes to the
 * local disk first and uploads from there. The local copy becomes an entry of the cache that
 * `pathOf` serves from. The cost is local disk space for the largest artifact. Objects appear whole
 * or not at all.
 *
 * What differs between providers is a `Bucket`: four requests, and what their errors mean.
 */
import { SkeinError, type ErrorCode } from '@skein/api/errors';
import type { ArtifactStore } from '../contract.ts';
import type { DiskSpace } from '../disk/disk-space.ts';
import { openArtifactCache } from './artifact-cache.ts';
import { type AwayListener, untilUsable } from './until-usable.ts';
import { corrupt, unknown, verified } from './verified-stream.ts';

/** Objects by their keys. Each method may throw an error of its client, which `faultOf` classifies. */
export interface Bucket {
  /** For messages. */
  readonly place: string;
  /** Prefix of every key. */
  readonly prefix: string;
  /** Throws when the bucket cannot be used with these credentials. */
  probe(signal: AbortSignal): Promise<void>;
  /** Stores a local file, in parts if it is large; replaces an object of this key. */
  upload(key: string, path: string): Promise<void>;
  /** The bytes of an object from an offset on. */
  download(key: string, start: number): AsyncIterable<Uint8Array>;
  sizeOf(key: string): Promise<number>;
  /** Succeeds too when there is no such object. */
  remove(key: string): Promise<void>;
  /** Keys that begin with the prefix. */
  keys(): AsyncIterable<string>;
  readonly faultOf: (error: unknown) => BucketFault | undefined;
  close(): void;
}

/** `missing`: no such object. `denied`: the credentials are absent, wrong or not sufficient. */
export type BucketFault = 'missing' | 'denied' | 'full';

export interface BucketOptions {
  /** For example `s3://bucket/prefix?endpoint=…`; credentials come from the environment. */
  readonly url: string;
  /** Folder of the local copies; created if it is missing. */
  readonly cacheFolder: string;
  /** Refuses copies that would use reserved disk space. */
  readonly space?: DiskSpace | undefined;
  /** Bound of the local copies, in bytes. Default: 10 GiB, and at most a third of the disk. */
  readonly cacheBytes?: number | undefined;
  /** Size of a part of a large upload, in bytes, at least 5 MiB. Default: 16 MiB. */
  readonly partBytes?: number;
  /** The longest silence of the bucket during a request, in milliseconds. Default: 20 s. */
  readonly silenceMs?: number;
  /** Present: a bucket that cannot be used is opened all the same, and its requests fail until it can. */
  readonly onAway?: AwayListener | undefined;
}

export const DEFAULT_SILENCE_MS = 20_000;
export const DEFAULT_PART_BYTES = 16 * 2 ** 20;
const DIGEST = /^[0-9a-f]{64}$/;
/** How often a download may break without a byte of progress in between. */
const BREAKS = 3;

/** @throws SkeinError STORE_UNREACHABLE, STORE_DENIED, DATA_FOLDER_UNUSABLE. */
export async function openBucketArtifacts(
  bucket: Bucket,
  options: BucketOptions,
): Promise<ArtifactStore> {
  const { place, prefix } = bucket;
  const { silenceMs = DEFAULT_SILENCE_MS, onAway } = options;
  const cache = await openArtifactCache({
    folder: options.cacheFolder,
    space: options.space,
    maxBytes: options.cacheBytes,
  });
  const keyOf = (digest: string): string => {
    if (!DIGEST.test(digest)) throw new TypeError(`"${digest}" is not a sha-256 in hex.`);
    return prefix + digest;
  };
  const asking = async <T>(request: Promise<T>): Promise<T> => {
    try {
      return await request;
    } catch (error) {
      throw translated(error, bucket);
    }
  };

  /** Tried once; a request of any other kind is tried again after a silence. So a start that fails reports it sooner. */
  async function probe(signal?: AbortSignal): Promise<void> {
    const late = AbortSignal.timeout(silenceMs);
    const either = signal === undefined ? late : AbortSignal.any([signal, late]);
    try {
      await bucket.probe(either);
    } catch (error) {
      const silent = late.aborted ? new Error(`no answer in ${silenceMs / 1000} s`) : undefined;
      throw translated(silent ?? error, bucket);
    }
  }
  if (onAway === undefined) await probe();
  const stopWaiting = onAway && untilUsable(probe, onAway);

  async function* remote(digest: string): AsyncGenerator<Uint8Array> {
    const key = keyOf(digest);
    try {
      yield* verified(resumed(bucket, key), digest);
    } catch (error) {
      if (bucket.faultOf(error) === 'missing') throw corrupt(digest, `is not in ${place}`);
      throw translated(error, bucket);
    }
  }

  /** Downloads in progress, so that concurrent requests for an artifact fetch it once. */
  const fetching = new Map<string, Promise<void>>();
  async function fetchOnce(digest: string): Promise<void> {
    const running = fetching.get(digest) ?? fetchNow(digest).finally(() => fetching.delete(digest));
    fetching.set(digest, running);
    return running;
  }
  async function fetchNow(digest: string): Promise<void> {
    await cache.files.put(remote(digest), Number.POSITIVE_INFINITY);
  }

  async function pathOf(digest: string): Promise<string> {
    keyOf(digest);
    if (await cache.has(digest)) {
      try {
        const path = await cache.files.pathOf(digest);
        await cache.used(digest);
        return path;
      } catch (error) {
        // The copy is damaged; the original may be intact.
        if (!(error instanceof SkeinError)) throw error;
        await cache.remove(digest);
      }
    }
    await fetchOnce(digest);
    await cache.used(digest);
    return cache.files.pathOf(digest);
  }

  return {
    async put(content, maxBytes) {
      const written = await cache.files.put(content, maxBytes);
      try {
        const path = await cache.files.pathOf(written.digest);
        await asking(bucket.upload(keyOf(written.digest), path));
      } catch (error) {
        // A copy that was here before is one of an object in the bucket, and may be in use.
        if (!cache.tracks(written.digest)) await cache.remove(written.digest);
        throw error;
      }
      await cache.used(written.digest);
      return written;
    },

    async sizeOf(digest) {
      const key = keyOf(digest);
      try {
        return await bucket.sizeOf(key);
      } catch (error) {
        if (bucket.faultOf(error) === 'missing') throw unknown(digest);
        throw translated(error, bucket);
      }
    },

    async *read(digest, range) {
      if (range !== undefined) {
        await pathOf(digest);
        yield* cache.files.read(digest, range);
      } else if (await cache.has(digest)) {
        await pathOf(digest);
        yield* cache.files.read(digest);
      } else {
        yield* remote(digest);
      }
    },

    pathOf,

    async remove(digest) {
      await asking(bucket.remove(keyOf(digest)));
      await cache.remove(digest);
    },

    async list() {
      const digests: string[] = [];
      try {
        for await (const key of bucket.keys()) {
          const name = key.slice(prefix.length);
          if (DIGEST.test(name)) digests.push(name);
        }
      } catch (error) {
        throw translated(error, bucket);
      }
      return digests;
    },

    close() {
      stopWaiting?.();
      bucket.close();
      return Promise.resolve();
    },
  };
}

/** Continues where the connection broke: a model of gigabytes is not fetched again from its start. */
async function* resumed(bucket: Bucket, key: string): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (let breaks = 0; ;) {
    try {
      for await (const chunk of bucket.download(key, start)) {
        start += chunk.byteLength;
        breaks = 0;
        yield chunk;
      }
      return;
    } catch (error) {
      breaks += 1;
      if (start === 0 || breaks > BREAKS || bucket.faultOf(error) !== undefined) throw error;
    }
  }
}

const PARTIAL = 206;

/** The bytes of an object from an offset on, of an answer that has all of them if the server ignores ranges. */
export async function* bytesFrom(
  start: number,
  status: number | undefined,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let skipped = status === PARTIAL ? start : 0;
  for await (const chunk of content) {
    const rest = chunk.subarray(Math.min(start - skipped, chunk.byteLength));
    skipped += chunk.byteLength - rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}

const FAULTS: Readonly<Record<BucketFault, readonly [code: ErrorCode, what: string]>> = {
  missing: ['STORE_UNREACHABLE', 'Cannot use'],
  denied: ['STORE_DENIED', 'Access is denied to'],
  full: ['STORAGE_FULL', 'There is no space left in'],
};

/** AWS's answer in a region where the bucket is not. */
const MOVED = 301;

interface Description {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
}

/** The S3 client reads the status alone where an answer has no body, such as the answer to HEAD, or is not XML. */
function describedBy(error: unknown): Description {
  const {
    message = '',
    $metadata,
    $response,
  } = error as Description & {
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number; headers?: Readonly<Record<string, string>> };
  };
  const region = $response?.headers?.['x-amz-bucket-region'];
  if ($response?.statusCode === MOVED && region !== undefined) {
    return { message: `it is in the region ${region}; add region=${region} to its address` };
  }
  if (message.includes('Deserialization error')) {
    return { message: `status ${$response?.statusCode}, with a body that is not one of S3` };
  }
  const status = $metadata?.httpStatusCode;
  if (status !== undefined && message === 'UnknownError') return { message: `status ${status}` };
  return error as Description;
}

/** An error that is none of these means that the bucket cannot be used now. */
/** The coded error of a bucket. */
export function translated(error: unknown, { place, faultOf }: Bucket): unknown {
  if (error instanceof SkeinError) return error;
  const { name, message, code } = describedBy(error);
  const [coded, what] = FAULTS[faultOf(error) ?? 'missing'];
  const reason = [code ?? name, message].filter(Boolean).join(': ').replace(/\.$/, '');
  return new SkeinError(coded, `${what} ${place}: ${reason}.`, { cause: error });
}
