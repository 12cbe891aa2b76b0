/** Ranges of files over servers on loopback that break the rules. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { startGcsServer } from '../artifacts/testing/gcs-server.ts';
import {
  MOTO_CREDENTIALS,
  MOTO_HEADERS,
  startMotoServer,
} from '../artifacts/testing/moto-server.ts';
import { findFiles } from './find-files.ts';
import { fetchRange, openSource, type RemoteFile } from './sources.ts';
import { startFileServer, type FileServer } from './testing/file-server.ts';

const moto = requireComponent('python3-moto');
const bytes = randomBytes(200_000);
const options = {
  env: {},
  allowPrivate: true,
  signal: new AbortController().signal,
  silenceMs: 150,
};
let server: FileServer;
let address: string;
beforeEach(async () => {
  server = await startFileServer();
  server.files.set('/table.csv', bytes);
  address = `${server.url}/table.csv`;
});
afterEach(() => server[Symbol.asyncDispose]());

async function fetched(file: RemoteFile, start: number, end: number) {
  const content = Buffer.alloc(file.sizeBytes);
  const write = async (at: number, part: Uint8Array) => content.set(part, at);
  const source = await openSource(file.address, options);
  const range = await fetchRange(source, file, { start, end }, write, options.signal);
  return { range, content: content.subarray(range.start, range.end) };
}
const found = async (): Promise<RemoteFile> => (await findFiles(address, options))[0]!;

describe('a range', () => {
  it('has the bytes that were asked for, also after breaks', async () => {
    const file = await found();
    expect(file).toMatchObject({ address, sizeBytes: bytes.byteLength });
    server.cuts.push(1000, 5000);
    const { content } = await fetched(file, 10_000, 90_000);
    expect(content).toEqual(bytes.subarray(10_000, 90_000));
    const ranges = server.requests.slice(2).map(({ headers }) => headers.range);
    expect(ranges).toEqual(['bytes=11000-89999', 'bytes=16000-89999']);
  });

  it('is the whole file of a server without ranges', async () => {
    server.hasRanges = false;
    const { range, content } = await fetched(await found(), 10_000, 90_000);
    expect(range).toEqual({ start: 0, end: bytes.byteLength });
    expect(content).toEqual(bytes);
  });

  it('continues after a server has stalled', async () => {
    const file = await found();
    server.stalls.push(700);
    expect((await fetched(file, 0, 50_000)).content).toEqual(bytes.subarray(0, 50_000));
  });

  it('is refused where the file changes between its parts', async () => {
    const file = await found();
    server.cuts.push(1000);
    const changing = fetched(file, 0, 90_000);
    await expect.poll(() => server.requests.length).toBe(2);
    server.files.set('/table.csv', randomBytes(bytes.byteLength));
    await expect(changing).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it('is refused where a server has another size', async () => {
    const file = { ...(await found()), sizeBytes: 100 };
    await expect(fetched(file, 0, 50)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it('is given up where a server never sends as much as it states', async () => {
    const file = await found();
    server.answers.set('/table.csv', (response) => {
      response.writeHead(206, {
        'content-range': `bytes 0-999/${bytes.byteLength}`,
        etag: file.identity,
      });
      response.end();
    });
    await expect(fetched(file, 0, 1000)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });

  it('is refused where a server sends more than a part', async () => {
    const file = await found();
    server.answers.set('/table.csv', (response) => {
      response.writeHead(206, {
        'content-range': `bytes 5-9/${bytes.byteLength}`,
        etag: file.identity,
      });
      response.end(Buffer.alloc(50));
    });
    await expect(fetched(file, 5, 10)).rejects.toThrow(/sends more than 5 bytes/);
  });

  it('needs something that changes with the file', async () => {
    server.hasTags = false;
    await expect(found()).rejects.toThrow(/neither an entity tag nor a time of change/);
  });

  it('is not fetched from a private address without leave', async () => {
    const refused = findFiles(address, { ...options, allowPrivate: false });
    await expect(refused).rejects.toMatchObject({ code: 'SOURCE_PRIVATE' });
  });
});

describe('files of a pattern', () => {
  const keys = ['logs/year=2025/a.csv', 'logs/year=2026/b c.csv', 'logs/c.txt', 'other/d.csv'];
  const shown = keys.slice(0, 2).map((key) => key.replace(' ', '%20'));

  it.skipIf(moto.skip)('are found in a bucket of S3', { timeout: 60_000 }, async () => {
    const bucket = await startMotoServer();
    onTestFinished(() => bucket[Symbol.asyncDispose]());
    for (const [name, value] of Object.entries(MOTO_CREDENTIALS)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    await bucket.bucket('data');
    for (const key of keys) {
      const put = { method: 'PUT', headers: MOTO_HEADERS, body: bytes };
      await fetch(`${bucket.endpoint}/data/${encodeURI(key)}`, put);
    }
    const end = `?endpoint=${bucket.endpoint}`;
    const slow = { ...options, silenceMs: 10_000 };
    const files = await findFiles(`s3://data/logs/**/*.csv${end}`, slow);
    expect(files.map((file) => file.address)).toEqual(shown.map((key) => `s3://data/${key}${end}`));
    const { content } = await fetched(files[1]!, 5, 50);
    expect(content).toEqual(bytes.subarray(5, 50));
    await expect(findFiles(`s3://data/none/*.csv${end}`, slow)).rejects.toThrow(/no file/);
    await expect(findFiles(`s3://none/*.csv${end}`, slow)).rejects.toMatchObject({
      code: 'SOURCE_UNKNOWN',
    });
  });

  it('are found in a bucket of Google, page by page', async () => {
    const gcs = await startGcsServer({ pageSize: 1 });
    onTestFinished(() => gcs[Symbol.asyncDispose]());
    gcs.buckets.set('data', new Map());
    for (const key of keys) gcs.store('data', key, bytes);
    const end = `?endpoint=${gcs.endpoint}`;
    const files = await findFiles(`gs://data/logs/*/*.csv${end}`, options);
    expect(files.map((file) => file.address)).toEqual(shown.map((key) => `gs://data/${key}${end}`));
    const { content } = await fetched(files[0]!, 5, 50);
    expect(content).toEqual(bytes.subarray(5, 50));
    gcs.store('data', keys[0]!, bytes);
    await expect(fetched(files[0]!, 5, 50)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });
});
