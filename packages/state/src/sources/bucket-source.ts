/** Objects of buckets: `s3://bucket/key`, `gs://bucket/key`, with the credentials of the environment. */
import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { isIP } from 'node:net';
import { basename, dirname } from 'node:path/posix';
import type { Readable } from 'node:stream';
import { SkeinError } from '@skein/api/errors';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import {
  parseBucketAddress,
  type AddressForm,
  type BucketAddress,
} from '../artifacts/bucket-address.ts';
import { GCS_FORM } from '../artifacts/gcs-artifacts.ts';
import { googleHeaders } from '../artifacts/google-credentials.ts';
import { S3_FORM, s3Client, s3FaultOf } from '../artifacts/s3-artifacts.ts';
import { httpOpener, readText } from './http-source.ts';
import { pinnedLookup, requireAllowed, SILENCE_MS } from './pinned-request.ts';
import { deniedSource, unknownSource, type Source, type SourceOptions } from './source.ts';

const READ_SCOPE = 'https://www.googleapis.com/auth/devstorage.read_only';
const GOOGLE = 'https://storage.googleapis.com';

function objectOf(text: string, form: AddressForm) {
  const { bucket, prefix, endpoint, region } = parseBucketAddress(text, form);
  const key = prefix.slice(0, -1);
  if (key === '')
    throw new SkeinError('USAGE', `"${text}" names no object: write ${form.scheme}//bucket/key.`);
  const folder = dirname(key);
  const fileName = basename(key);
  const keyOf = (name: string): string => (folder === '.' ? name : `${folder}/${name}`);
  return { bucket, endpoint, region, fileName, keyOf };
}

/** @throws SkeinError USAGE, SOURCE_PRIVATE. */
export async function s3Source(text: string, options: SourceOptions): Promise<Source> {
  const { bucket: Bucket, fileName, keyOf, ...place } = objectOf(text, S3_FORM);
  const { client, commands } = await s3Of({ bucket: Bucket, ...place }, options);
  return {
    address: text,
    name: fileName,
    fileName,
    async open(name, { start, tag, end }, abortSignal) {
      const range =
        end !== undefined
          ? { Range: `bytes=${start}-${end - 1}` }
          : start > 0 && tag !== undefined
            ? { Range: `bytes=${start}-`, IfMatch: tag }
            : {};
      const read = async (more: { Range?: string; IfMatch?: string }) =>
        client.send(new commands.GetObjectCommand({ Bucket, Key: keyOf(name), ...more }), {
          abortSignal,
        });
      try {
        const answer = await read(range).catch((error: unknown) => {
          // The object has changed: fetch all of it.
          if ((error as Error).name === 'PreconditionFailed') return read({});
          throw error;
        });
        const from = answer.ContentRange === undefined ? 0 : start;
        const [, total] = /\/(\d+)$/.exec(answer.ContentRange ?? '') ?? [];
        return {
          start: from,
          tag: answer.ETag,
          identity: answer.ETag,
          totalBytes: total === undefined ? answer.ContentLength : Number(total),
          body: answer.Body as Readable,
        };
      } catch (error) {
        const fault = s3FaultOf(error);
        const place = `s3://${Bucket}/${keyOf(name)}`;
        if (fault === 'denied') throw deniedSource(place, (error as Error).message);
        if (fault === 'missing' || (error as Error).name === 'NoSuchBucket') {
          throw unknownSource(place, 'does not exist');
        }
        throw error;
      }
    },
  };
}

/** @throws SkeinError SOURCE_PRIVATE; USAGE: no region. */
async function s3Of(
  { bucket, endpoint, region }: Pick<BucketAddress, 'bucket' | 'endpoint' | 'region'>,
  { allowPrivate, silenceMs = SILENCE_MS }: SourceOptions,
): ReturnType<typeof s3Client> {
  if (endpoint !== undefined) {
    const { hostname, protocol } = new URL(endpoint);
    const host = hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0) requireAllowed(hostname, [host], protocol, allowPrivate);
  }
  return s3Client(
    { bucket, endpoint, region },
    {
      connectionTimeout: silenceMs,
      socketTimeout: silenceMs,
      httpAgent: new Agent({ lookup: pinnedLookup('http:', allowPrivate) }),
      httpsAgent: new SecureAgent({ lookup: pinnedLookup('https:', allowPrivate) }),
    },
  );
}

/** @throws SkeinError USAGE. */
export async function gcsSource(text: string, options: SourceOptions): Promise<Source> {
  const { bucket, endpoint = GOOGLE, fileName, keyOf } = objectOf(text, GCS_FORM);
  const { url, headers } = await gcsObjects(text, bucket, endpoint);
  const urlOf = (name: string) =>
    new URL(`${url.href}/${encodeURIComponent(keyOf(name))}?alt=media`);
  const files = { address: text, urlOf, headers };
  return { address: text, name: fileName, fileName, open: httpOpener(files, options) };
}

/** An object as the list of its bucket has it. */
export interface Listed {
  readonly key: string;
  readonly sizeBytes: number;
  readonly identity: string;
}

/** @throws SkeinError USAGE, SOURCE_PRIVATE, SOURCE_DENIED, SOURCE_UNKNOWN; errors of the connection. */
export async function* listS3(
  text: string,
  Prefix: string,
  options: SourceOptions,
): AsyncGenerator<Listed> {
  const { bucket: Bucket, ...place } = parseBucketAddress(text, S3_FORM);
  const { client, commands } = await s3Of({ bucket: Bucket, ...place }, options);
  try {
    const pages = commands.paginateListObjectsV2({ client }, { Bucket, Prefix });
    for await (const { Contents = [] } of pages) {
      options.signal.throwIfAborted();
      for (const { Key: key = '', Size: sizeBytes = 0, ETag: identity = '' } of Contents)
        yield { key, sizeBytes, identity };
    }
  } catch (error) {
    if (s3FaultOf(error) === 'denied') throw deniedSource(text, (error as Error).message);
    if ((error as Error).name === 'NoSuchBucket') throw unknownSource(text, 'does not exist');
    throw error;
  } finally {
    client.destroy();
  }
}

/** A page of the list of a bucket. */
interface Page {
  readonly items?: readonly { readonly name: string; size: string; generation: string }[];
  readonly nextPageToken?: string;
}

/** @throws SkeinError USAGE, SOURCE_PRIVATE, SOURCE_DENIED, SOURCE_UNKNOWN; errors of the connection. */
export async function* listGcs(
  text: string,
  prefix: string,
  options: SourceOptions,
): AsyncGenerator<Listed> {
  const { bucket, endpoint = GOOGLE } = parseBucketAddress(text, GCS_FORM);
  const { url, headers } = await gcsObjects(text, bucket, endpoint);
  for (let pageToken: string | undefined; ;) {
    const query = { prefix, fields: 'items(name,size,generation),nextPageToken' };
    url.search = new URLSearchParams({
      ...query,
      ...(pageToken === undefined ? {} : { pageToken }),
    }).toString();
    const page = await readText(url, text, { ...options, headers: await headers() });
    const { items = [], nextPageToken } = readJson(page, JSON_BOUNDS.stored) as Page;
    for (const { name: key, size, generation } of items)
      yield { key, sizeBytes: Number(size), identity: generation };
    if (nextPageToken === undefined) return;
    pageToken = nextPageToken;
  }
}

/** The objects of a bucket in the JSON API, and the headers of a request. */
async function gcsObjects(text: string, bucket: string, endpoint: string) {
  const server = endpoint.replace(/\/+$/, '');
  // Tokens are sent over TLS only: a plain endpoint is an emulator, which needs none.
  const credentials = server.startsWith('https:') ? await googleHeaders(READ_SCOPE) : undefined;
  return {
    url: new URL(`${server}/storage/v1/b/${encodeURIComponent(bucket)}/o`),
    headers: async (): Promise<Readonly<Record<string, string>>> => {
      try {
        return (await credentials?.()) ?? {};
      } catch (error) {
        throw deniedSource(text, (error as Error).message);
      }
    },
  };
}
