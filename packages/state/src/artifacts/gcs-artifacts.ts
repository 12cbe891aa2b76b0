/**
 * Buckets of Google Cloud Storage, through its JSON API.
 *
 * A small artifact is one request. A large one is a resumable upload, in parts: after a failure the
 * server reports the bytes it has, and the upload continues there. Either way the MD5 that the server
 * computed is compared with the file's, and an object that differs is removed.
 */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { ArtifactStore } from '../contract.ts';
import { parseBucketAddress } from './bucket-address.ts';
import {
  DEFAULT_PART_BYTES,
  DEFAULT_SILENCE_MS,
  bytesFrom,
  openBucketArtifacts,
  type Bucket,
  type BucketFault,
  type BucketOptions,
} from './bucket-artifacts.ts';
import { GcsError, gcsSender, mayPass, pause, TRIES, type GcsSend } from './gcs-requests.ts';

export const GCS_FORM = {
  scheme: 'gs:',
  parameters: ['endpoint'],
  credentials: 'GOOGLE_APPLICATION_CREDENTIALS or the identity of the machine',
};

const GOOGLE = 'https://storage.googleapis.com';
/** All parts but the last have a multiple of this. */
const PART_UNIT = 256 * 1024;
const BINARY = { 'Content-Type': 'application/octet-stream' };
/** The server has a part of a resumable upload, and wants more. */
const INCOMPLETE = 308;
/** The upload has been given up, as it was asked to be. */
const CANCELLED = 499;

/** @throws SkeinError USAGE (the URL), STORE_UNREACHABLE, STORE_DENIED, DATA_FOLDER_UNUSABLE. */
export async function openGcsArtifacts(options: BucketOptions): Promise<ArtifactStore> {
  return openBucketArtifacts(await gcsBucket(options), options);
}

/** @throws SkeinError USAGE. */
export async function gcsBucket(
  options: Pick<BucketOptions, 'url' | 'partBytes' | 'silenceMs'>,
): Promise<Bucket> {
  const { url, partBytes = DEFAULT_PART_BYTES, silenceMs = DEFAULT_SILENCE_MS } = options;
  const { bucket, prefix, endpoint } = parseBucketAddress(url, GCS_FORM);
  const server = (endpoint ?? GOOGLE).replace(/\/+$/, '');
  // Tokens are sent over TLS only: a plain endpoint is an emulator, which needs none.
  const send = await gcsSender(server.startsWith('https:'), silenceMs);
  const objects = `/storage/v1/b/${encodeURIComponent(bucket)}/o`;
  const object = (key: string, query = ''): string =>
    `${server}${objects}/${encodeURIComponent(key)}${query}`;
  const uploads = (type: string, key: string): string =>
    `${server}/upload${objects}?uploadType=${type}&name=${encodeURIComponent(key)}`;

  async function page(
    query: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<Page> {
    const address = new URL(server + objects);
    address.search = new URLSearchParams({ prefix, ...query }).toString();
    return (await (await send(address, signal && { signal })).json()) as Page;
  }
  async function remove(key: string): Promise<void> {
    const { body } = await send(object(key), { method: 'DELETE', also: [404] });
    await body?.cancel();
  }

  return {
    place: `the bucket ${bucket}${endpoint === undefined ? '' : ` at ${endpoint}`}`,
    prefix,
    // Reading the bucket itself needs a right that the roles for objects do not have.
    async probe(signal) {
      await page({ maxResults: '1', fields: 'items(name)' }, signal);
    },
    async upload(key, path) {
      const file = await open(path);
      try {
        const { size } = await file.stat();
        const stored =
          size <= partBytes
            ? await uploadWhole(send, uploads('media', key), file, size)
            : await uploadInParts(send, uploads('resumable', key), file, size, partBytes);
        if (stored.md5 === stored.md5Hash) return;
        await remove(key);
        throw new Error(`the MD5 of what arrived is ${stored.md5Hash}, and not ${stored.md5}`);
      } finally {
        await file.close();
      }
    },
    async *download(key, start) {
      const headers: Record<string, string> = start === 0 ? {} : { Range: `bytes=${start}-` };
      const { body, status } = await send(object(key, '?alt=media'), { headers });
      if (body !== null) yield* bytesFrom(start, status, body);
    },
    async sizeOf(key) {
      const answer = await send(object(key, '?fields=size'));
      return Number(((await answer.json()) as { size: string }).size);
    },
    remove,
    async *keys() {
      let pageToken: string | undefined;
      do {
        const fields = 'items(name),nextPageToken';
        const { items = [], nextPageToken } = await page({
          fields,
          ...(pageToken === undefined ? {} : { pageToken }),
        });
        for (const { name } of items) yield name;
        pageToken = nextPageToken;
      } while (pageToken !== undefined);
    },
    faultOf,
    close: () => undefined,
  };
}

interface Page {
  readonly items?: readonly { readonly name: string }[];
  readonly nextPageToken?: string;
}

/** In base64. */
interface Checked {
  /** The file's. */
  readonly md5: string;
  /** The object's, as the server computed it. */
  readonly md5Hash: string;
}

async function uploadWhole(
  send: GcsSend,
  url: string,
  file: FileHandle,
  size: number,
): Promise<Checked> {
  const body = await partOf(file, 0, size);
  const answer = await send(url, { method: 'POST', headers: BINARY, body });
  const { md5Hash } = (await answer.json()) as Checked;
  return { md5Hash, md5: createHash('md5').update(body).digest('base64') };
}

/** https://cloud.google.com/storage/docs/performing-resumable-uploads */
async function uploadInParts(
  send: GcsSend,
  url: string,
  file: FileHandle,
  size: number,
  partBytes: number,
): Promise<Checked> {
  const started = await send(url, {
    method: 'POST',
    headers: { 'X-Upload-Content-Length': `${size}` },
  });
  const session = started.headers.get('location');
  if (session === null) throw new Error('the upload has no address');
  const unit = Math.max(PART_UNIT, Math.floor(partBytes / PART_UNIT) * PART_UNIT);
  const put = async (range: string, body?: Buffer<ArrayBuffer>): Promise<Response> =>
    send(session, {
      method: 'PUT',
      headers: { ...BINARY, 'Content-Range': `bytes ${range}/${size}` },
      also: [INCOMPLETE],
      ...(body === undefined ? {} : { body, tries: 1 }),
    });
  const hash = createHash('md5');
  let hashed = 0;
  try {
    for (let start = 0, failed = 0; ;) {
      const body = await partOf(file, start, Math.min(unit, size - start));
      const end = start + body.byteLength;
      // The server may keep only the begin of a part; the rest is then sent again.
      if (end > hashed) hash.update(body.subarray(hashed - start));
      hashed = Math.max(hashed, end);
      let answer: Response;
      try {
        answer = await put(`${start}-${end - 1}`, body);
        if (answer.status === INCOMPLETE && keptOf(answer) <= start) {
          await answer.body?.cancel();
          throw new Error('the server keeps nothing of a part');
        }
        failed = 0;
      } catch (error) {
        failed += 1;
        if (failed === TRIES || !mayPass(error)) throw error;
        await pause(failed);
        // Ask how much has arrived.
        answer = await put('*');
      }
      if (answer.status !== INCOMPLETE) {
        const { md5Hash } = (await answer.json()) as Checked;
        // Hash the whole file: an object whose upload the server ended too early differs from it.
        while (hashed < size) {
          const rest = await partOf(file, hashed, Math.min(unit, size - hashed));
          hash.update(rest);
          hashed += rest.byteLength;
        }
        return { md5Hash, md5: hash.digest('base64') };
      }
      await answer.body?.cancel();
      start = keptOf(answer);
    }
  } catch (error) {
    // Google keeps the parts for a week otherwise.
    await send(session, { method: 'DELETE', also: [CANCELLED], tries: 1 }).catch(() => undefined);
    throw error;
  }
}

/** How many bytes the server has. */
function keptOf(answer: Response): number {
  const [, last] = /^bytes=0-(\d+)$/.exec(answer.headers.get('range') ?? '') ?? [];
  return last === undefined ? 0 : Number(last) + 1;
}

async function partOf(
  file: FileHandle,
  start: number,
  length: number,
): Promise<Buffer<ArrayBuffer>> {
  const part = Buffer.alloc(length);
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await file.read(part, filled, length - filled, start + filled);
    if (bytesRead === 0) throw new Error('the local copy became shorter');
    filled += bytesRead;
  }
  return part;
}

const BY_STATUS: Readonly<Record<number, BucketFault>> = {
  401: 'denied',
  403: 'denied',
  404: 'missing',
  507: 'full',
};

function faultOf(error: unknown): BucketFault | undefined {
  if (!(error instanceof GcsError)) return undefined;
  return error.reason === 'quotaExceeded' ? 'full' : BY_STATUS[error.status];
}
