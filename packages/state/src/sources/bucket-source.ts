/** Objects of buckets: `s3://bucket/key`, `gs://bucket/key`, with the credentials of the environment. */
import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { isIP } from 'node:net';
import { basename, dirname } from 'node:path/posix';
import type { Readable } from 'node:stream';
import { SkeinError } from '@skein/api/errors';
import { parseBucketAddress, type AddressForm } from '../artifacts/bucket-address.ts';
import { GCS_FORM } from '../artifacts/gcs-artifacts.ts';
import { googleHeaders } from '../artifacts/google-credentials.ts';
import { S3_FORM, s3Client, s3FaultOf } from '../artifacts/s3-artifacts.ts';
import { httpOpener } from './http-source.ts';
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
  const { allowPrivate } = options;
  const { bucket: Bucket, endpoint, region, fileName, keyOf } = objectOf(text, S3_FORM);
  if (endpoint !== undefined) {
    const { hostname, protocol } = new URL(endpoint);
    const host = hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0) requireAllowed(hostname, [host], protocol, allowPrivate);
  }
  const { client, commands } = await s3Client(
    { bucket: Bucket, endpoint, region },
    {
      connectionTimeout: SILENCE_MS,
      socketTimeout: SILENCE_MS,
      httpAgent: new Agent({ lookup: pinnedLookup('http:', allowPrivate) }),
      httpsAgent: new SecureAgent({ lookup: pinnedLookup('https:', allowPrivate) }),
    },
  );
  return {
    address: text,
    name: fileName,
    fileName,
    async open(name, { start, tag }, abortSignal) {
      const range =
        start > 0 && tag !== undefined ? { Range: `bytes=${start}-`, IfMatch: tag } : {};
      const read = async (more: typeof range) =>
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
        return {
          start: from,
          tag: answer.ETag,
          totalBytes: answer.ContentLength === undefined ? undefined : from + answer.ContentLength,
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

/** @throws SkeinError USAGE. */
export async function gcsSource(text: string, options: SourceOptions): Promise<Source> {
  const { bucket, endpoint = GOOGLE, fileName, keyOf } = objectOf(text, GCS_FORM);
  const server = endpoint.replace(/\/+$/, '');
  // Tokens are sent over TLS only: a plain endpoint is an emulator, which needs none.
  const credentials = server.startsWith('https:') ? await googleHeaders(READ_SCOPE) : undefined;
  const files = {
    address: text,
    urlOf: (name: string) =>
      new URL(
        `${server}/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(keyOf(name))}?alt=media`,
      ),
    async headers() {
      try {
        return (await credentials?.()) ?? {};
      } catch (error) {
        throw deniedSource(text, (error as Error).message);
      }
    },
  };
  return { address: text, name: fileName, fileName, open: httpOpener(files, options) };
}
