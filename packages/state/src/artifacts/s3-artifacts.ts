/**
 * Artifacts as objects of an S3-compatible bucket (AWS, MinIO, Ceph, the S3 face of Google Cloud
 * Storage), each under its digest.
 *
 * The name of an artifact is known only once all of it has been read. A put therefore writes to the
 * local disk first and uploads from there, in parts if it is large. The local copy becomes an entry
 * of the cache that `pathOf` serves from. The cost is local disk space for the largest artifact.
 * Objects appear whole or not at all. The parts of a failed upload are deleted at once, or by the
 * lifecycle rule of the bucket if the process was killed.
 */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { SkeinError } from '@skein/api/errors';
import type { ArtifactStore } from '../contract.ts';
import type { DiskRoom } from '../disk/disk-room.ts';
import { openArtifactCache } from './artifact-cache.ts';
import { parseS3Address } from './s3-address.ts';
import { corrupt, unknown, verified } from './verified-stream.ts';

export interface S3ArtifactsOptions {
  /** `s3://bucket/prefix?endpoint=…&region=…`; credentials come from the environment. */
  readonly url: string;
  /** Folder of the local copies; created if it is missing. */
  readonly cacheFolder: string;
  /** Refuses copies that would use reserved disk space. */
  readonly room?: DiskRoom | undefined;
  /** Bound of the local copies, in bytes. Default: 10 GiB. */
  readonly cacheBytes?: number;
  /** Size of a part of a large upload, in bytes, at least 5 MiB. Default: 16 MiB. */
  readonly partBytes?: number;
}

const GIB = 2 ** 30;
const DIGEST = /^[0-9a-f]{64}$/;

/** @throws SkeinError USAGE (the URL), STORE_UNREACHABLE, DATA_FOLDER_UNUSABLE. */
export async function openS3Artifacts(options: S3ArtifactsOptions): Promise<ArtifactStore> {
  const { bucket, prefix, endpoint, region } = parseS3Address(options.url);
  // Loaded here, so that a node without a bucket does not load the client.
  const s3 = await import('@aws-sdk/client-s3');
  const { Upload } = await import('@aws-sdk/lib-storage');
  const cache = await openArtifactCache({
    folder: options.cacheFolder,
    room: options.room,
    maxBytes: options.cacheBytes ?? 10 * GIB,
  });
  const client: S3Client = new s3.S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...regionOf(region, endpoint),
    // Servers other than AWS support neither the newest checksums nor their trailers.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const keyOf = (digest: string): string => {
    if (!DIGEST.test(digest)) throw new TypeError(`"${digest}" is not a sha-256 in hex.`);
    return prefix + digest;
  };
  const place = `the bucket ${bucket}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
  const asking = async <T>(request: Promise<T>): Promise<T> => {
    try {
      return await request;
    } catch (error) {
      throw translated(error, place);
    }
  };

  await asking(client.send(new s3.HeadBucketCommand({ Bucket: bucket })));

  async function* remote(digest: string): AsyncGenerator<Uint8Array> {
    const key = keyOf(digest);
    try {
      const { Body } = await client.send(new s3.GetObjectCommand({ Bucket: bucket, Key: key }));
      yield* verified(Body as Readable, digest);
    } catch (error) {
      if (isMissing(error)) throw corrupt(digest, `is not in ${place}`);
      throw translated(error, place);
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
        await cache.forget(digest);
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
        const upload = new Upload({
          client,
          params: { Bucket: bucket, Key: keyOf(written.digest), Body: createReadStream(path) },
          partSize: options.partBytes ?? 16 * 2 ** 20,
        });
        await asking(upload.done());
      } catch (error) {
        await cache.forget(written.digest);
        throw error;
      }
      await cache.used(written.digest);
      return written;
    },

    async sizeOf(digest) {
      const head = new s3.HeadObjectCommand({ Bucket: bucket, Key: keyOf(digest) });
      try {
        const { ContentLength = 0 } = await client.send(head);
        return ContentLength;
      } catch (error) {
        if (isMissing(error)) throw unknown(digest);
        throw translated(error, place);
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
      const key = keyOf(digest);
      await asking(client.send(new s3.DeleteObjectCommand({ Bucket: bucket, Key: key })));
      await cache.forget(digest);
    },

    async list() {
      const digests: string[] = [];
      const pages = s3.paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix });
      try {
        for await (const { Contents = [] } of pages) {
          for (const { Key = '' } of Contents) {
            const name = Key.slice(prefix.length);
            if (DIGEST.test(name)) digests.push(name);
          }
        }
      } catch (error) {
        throw translated(error, place);
      }
      return digests;
    },

    close() {
      client.destroy();
      return Promise.resolve();
    },
  };
}

/** A self-hosted server has no regions, but every request is signed for one. */
function regionOf(given: string | undefined, endpoint: string | undefined): { region?: string } {
  if (given !== undefined) return { region: given };
  const decided = process.env['AWS_REGION'] !== undefined || endpoint === undefined;
  return decided ? {} : { region: 'us-east-1' };
}

function isMissing(error: unknown): boolean {
  const { name } = error as { name?: string };
  return name === 'NoSuchKey' || name === 'NotFound';
}

/** Reports a full disk as such; any other error means that the bucket cannot be used now. */
function translated(error: unknown, place: string): unknown {
  if (error instanceof SkeinError) return error;
  const { name, message, code } = error as { name?: string; message?: string; code?: string };
  if (name === 'QuotaExceeded' || name === 'XMinioStorageFull') {
    return new SkeinError('STORAGE_FULL', `There is no space left in ${place}.`, { cause: error });
  }
  const reason = [code ?? name, message].filter(Boolean).join(': ');
  return new SkeinError('STORE_UNREACHABLE', `Cannot use ${place}: ${reason}.`, { cause: error });
}
