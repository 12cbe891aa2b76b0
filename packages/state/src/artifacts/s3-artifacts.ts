/**
 * Buckets over the S3 protocol: AWS, MinIO, Ceph, the S3 face of Google Cloud Storage.
 *
 * Servers other than AWS support neither the newest checksums nor their trailers, so a request has
 * one only where the protocol requires it, and objects are removed one by one: the request that
 * removes many must have a checksum that Google does not know.
 *
 * The parts of a failed upload are deleted at once, or by the lifecycle rule of the bucket if the
 * process was killed.
 */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type * as S3 from '@aws-sdk/client-s3';
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { SkeinError } from '@skein/api/errors';
import type { ArtifactStore } from '../contract.ts';
import { parseBucketAddress, type BucketAddress } from './bucket-address.ts';
import {
  DEFAULT_PART_BYTES,
  DEFAULT_SILENCE_MS,
  bytesFrom,
  openBucketArtifacts,
  type Bucket,
  type BucketFault,
  type BucketOptions,
} from './bucket-artifacts.ts';

export const S3_FORM = {
  scheme: 's3:',
  parameters: ['endpoint', 'region'],
  credentials: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
};

/** @throws SkeinError USAGE (the URL), STORE_UNREACHABLE, STORE_DENIED, DATA_FOLDER_UNUSABLE. */
export async function openS3Artifacts(options: BucketOptions): Promise<ArtifactStore> {
  return openBucketArtifacts(await s3Bucket(options), options);
}

/** @throws SkeinError USAGE. */
export async function s3Bucket(
  options: Pick<BucketOptions, 'url' | 'partBytes' | 'silenceMs'>,
): Promise<Bucket> {
  const { url, partBytes = DEFAULT_PART_BYTES, silenceMs = DEFAULT_SILENCE_MS } = options;
  const { bucket: Bucket, prefix, endpoint, region } = parseBucketAddress(url, S3_FORM);
  const { Upload } = await import('@aws-sdk/lib-storage');
  // Without these the client waits for ever. What it tries again has the same bound.
  const bounds = { connectionTimeout: silenceMs, socketTimeout: silenceMs };
  const { client, commands: s3 } = await s3Client({ bucket: Bucket, endpoint, region }, bounds);
  return {
    place: `the bucket ${Bucket}${endpoint === undefined ? '' : ` at ${endpoint}`}`,
    prefix,
    // Not HEAD: its answer has no body with the fault of the region, the name or the credentials.
    async probe(abortSignal) {
      const first = new s3.ListObjectsV2Command({ Bucket, Prefix: prefix, MaxKeys: 1 });
      await client.send(first, { abortSignal });
    },
    async upload(Key, path) {
      const params = { Bucket, Key, Body: createReadStream(path) };
      await new Upload({ client, params, partSize: partBytes }).done();
    },
    async *download(Key, start) {
      const range = start === 0 ? {} : { Range: `bytes=${start}-` };
      const { Body, $metadata } = await client.send(
        new s3.GetObjectCommand({ Bucket, Key, ...range }),
      );
      yield* bytesFrom(start, $metadata.httpStatusCode, Body as Readable);
    },
    async sizeOf(Key) {
      const { ContentLength = 0 } = await client.send(new s3.HeadObjectCommand({ Bucket, Key }));
      return ContentLength;
    },
    async remove(Key) {
      await client.send(new s3.DeleteObjectCommand({ Bucket, Key }));
    },
    async *keys() {
      for await (const { Contents = [] } of s3.paginateListObjectsV2(
        { client },
        { Bucket, Prefix: prefix },
      )) {
        for (const { Key = '' } of Contents) yield Key;
      }
    },
    faultOf: s3FaultOf,
    close: () => client.destroy(),
  };
}

/**
 * The client, with the credentials of the environment. It is loaded here, so that a node without a
 * bucket does not load it.
 * @throws SkeinError USAGE: no region.
 */
export async function s3Client(
  { bucket, endpoint, region }: Pick<BucketAddress, 'bucket' | 'endpoint' | 'region'>,
  requestHandler: NonNullable<S3ClientConfig['requestHandler']>,
): Promise<{ client: S3Client; commands: typeof S3 }> {
  const commands = await import('@aws-sdk/client-s3');
  const client = new commands.S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...regionOf(region, endpoint),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler,
  });
  await client.config.region().catch((cause: unknown) => {
    client.destroy();
    const message = `The bucket ${bucket} has no region: add region=… to its address, as in s3://${bucket}?region=eu-central-1, or set AWS_REGION.`;
    throw new SkeinError('USAGE', message, { cause });
  });
  return { client, commands };
}

/** A self-hosted server has no regions, but every request is signed for one. */
function regionOf(given: string | undefined, endpoint: string | undefined): { region?: string } {
  if (given !== undefined) return { region: given };
  const decided = (process.env['AWS_REGION'] ?? '') !== '' || endpoint === undefined;
  return decided ? {} : { region: 'us-east-1' };
}

const FAULTS: Readonly<Record<string, BucketFault>> = {
  NoSuchKey: 'missing',
  NotFound: 'missing',
  QuotaExceeded: 'full',
  XMinioStorageFull: 'full',
  XMinioAdminBucketQuotaExceeded: 'full',
  CredentialsProviderError: 'denied',
  // Temporary credentials; the status is 400.
  ExpiredToken: 'denied',
  InvalidToken: 'denied',
  TokenRefreshRequired: 'denied',
};

const STATUSES: Readonly<Record<number, BucketFault>> = {
  401: 'denied',
  403: 'denied',
  507: 'full',
};

/** The fault of the bucket that an error of the client reports. */
export function s3FaultOf(error: unknown): BucketFault | undefined {
  const { name = '', $metadata } = error as {
    name?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  return FAULTS[name] ?? STATUSES[status ?? 0];
}
