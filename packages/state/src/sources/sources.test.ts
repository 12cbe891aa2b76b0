/** Sources over servers on loopback; moto is the S3 server. */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { createAuthority } from '../../../http/src/tls/testing/authority.ts';
import { startGcsServer } from '../artifacts/testing/gcs-server.ts';
import {
  MOTO_CREDENTIALS,
  MOTO_HEADERS,
  startMotoServer,
} from '../artifacts/testing/moto-server.ts';
import { fetchFile, openSource } from './sources.ts';
import { requireAllowed } from './pinned-request.ts';
import { startFileServer, type FileServer } from './testing/file-server.ts';

const moto = requireComponent('python3-moto');
const openssl = requireComponent('openssl');
const bytes = randomBytes(300_000);
const { signal } = new AbortController();
let folder: string;
let server: FileServer;
beforeEach(async () => {
  folder = testFolder();
  server = await startFileServer();
  server.files.set('/files/risk.onnx', bytes);
});
afterEach(() => server[Symbol.asyncDispose]());

type Env = Readonly<Record<string, string>>;
const open = (address: string, env: Env = {}, allowPrivate = true) =>
  openSource(address, { env, allowPrivate, signal });

async function fetched(
  address: string,
  { env = {}, name, maxBytes = 2 ** 20 }: { env?: Env; name?: string; maxBytes?: number } = {},
): Promise<Buffer> {
  const source = await open(address, env);
  const options = { maxBytes, signal, onProgress: () => undefined };
  return readFile(await fetchFile(source, name ?? source.fileName, folder, options));
}
const ranges = () => server.requests.map(({ headers }) => headers.range);

describe('a download', () => {
  it('has the bytes of the file, and leaves nothing else', async () => {
    expect(await fetched(`${server.url}/files/risk.onnx?token=x`)).toEqual(bytes);
    expect(await readdir(folder)).toEqual(['risk.onnx']);
  });

  it('continues after each break where it ended', async () => {
    const large = randomBytes(6 * 2 ** 20);
    server.files.set('/files/large.onnx', large);
    server.cuts.push(2 ** 21, 2 ** 21);
    expect(await fetched(`${server.url}/files/large.onnx`, { maxBytes: 2 ** 23 })).toEqual(large);
    const [first, ...others] = ranges().map((range) => Number(/\d+/.exec(range ?? '0')?.[0]));
    expect(first).toBe(0);
    // The server sends bytes again that were in the broken connection.
    expect(others.map((start) => Math.ceil(start / 2 ** 21))).toEqual([1, 2]);
  });

  it('is continued by another process, and begins anew when the file has changed', async () => {
    const options = { maxBytes: 2 ** 20, signal, onProgress: () => undefined };
    const source = await open(`${server.url}/files/risk.onnx`);
    const tag = `"${createHash('md5').update(bytes).digest('hex')}"`;
    const part = join(folder, 'risk.onnx.part');
    await writeFile(part, bytes.subarray(0, 1000));
    await writeFile(`${part}.tag`, tag);
    expect(await readFile(await fetchFile(source, 'risk.onnx', folder, options))).toEqual(bytes);
    expect(ranges()).toEqual(['bytes=999-']);
    await writeFile(part, randomBytes(5000));
    await writeFile(`${part}.tag`, '"another"');
    expect(await readFile(await fetchFile(source, 'risk.onnx', folder, options))).toEqual(bytes);
  });

  it('begins anew after a break when the server has no entity tags', async () => {
    server.hasTags = false;
    server.cuts.push(100_000);
    expect(await fetched(`${server.url}/files/risk.onnx`)).toEqual(bytes);
    expect(ranges()).toEqual([undefined, undefined]);
  });

  it('ends after breaks without progress, with the way to continue', async () => {
    server.answers.set('/files/risk.onnx', (response) => void response.writeHead(503).end());
    await expect(fetched(`${server.url}/files/risk.onnx`)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('503'),
    });
    expect(server.requests).toHaveLength(4);
  });

  it('is bounded by the stated size, and by the bytes that arrive', async () => {
    const refused = { code: 'MODEL_UNSUPPORTED', message: expect.stringContaining('1000') };
    await expect(
      fetched(`${server.url}/files/risk.onnx`, { maxBytes: 1000 }),
    ).rejects.toMatchObject(refused);
    server.answers.set('/files/risk.onnx', (response) => void response.end(bytes));
    server.answers.set('/files/chunked.onnx', (response) => {
      response.write(bytes);
      response.end();
    });
    await expect(
      fetched(`${server.url}/files/chunked.onnx`, { maxBytes: 1000 }),
    ).rejects.toMatchObject(refused);
  });

  it.each([
    [404, 'SOURCE_UNKNOWN'],
    [401, 'SOURCE_DENIED'],
    [403, 'SOURCE_DENIED'],
    [418, 'SOURCE_UNKNOWN'],
  ])('of status %i is refused at once with %s', async (status, code) => {
    server.answers.set('/files/risk.onnx', (response) => void response.writeHead(status).end());
    await expect(fetched(`${server.url}/files/risk.onnx?secret=1`)).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining('secret'),
    });
    expect(server.requests).toHaveLength(1);
  });
});

describe('an address', () => {
  it.each([
    ['ftp://host/file', /begins with https:/],
    ['https://user:word@host/file', /--token-env/],
    ['s3://bucket', /names no object/],
    ['hf://owner', /should look like hf:/],
    ['https://host/', /name of a file/],
    ['https://host/%zz', /name of a file/],
    ['s3://bucket/a%5Cb?region=x', /name of a file/],
  ])('%s is refused', async (address, message) => {
    await expect(open(address)).rejects.toMatchObject({
      code: expect.stringMatching(/^(USAGE|SOURCE_UNKNOWN)$/),
      message: expect.stringMatching(message),
    });
  });

  it('of a private machine is refused unless it is allowed, by name and by number', async () => {
    for (const host of ['localhost', '127.0.0.1', '[::1]', '169.254.169.254', '10.0.0.1']) {
      const source = await open(`https://${host}/risk.onnx`, {}, false);
      const options = { maxBytes: 10, signal, onProgress: () => undefined };
      const refused = { code: 'SOURCE_PRIVATE' };
      await expect(fetchFile(source, 'risk.onnx', folder, options)).rejects.toMatchObject(refused);
    }
    const bucket = 's3://models/risk.onnx?endpoint=http://127.0.0.1:9';
    await expect(open(bucket, {}, false)).rejects.toMatchObject({ code: 'SOURCE_PRIVATE' });
    for (const [name, value] of Object.entries(MOTO_CREDENTIALS)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const named = await open('s3://models/risk.onnx?endpoint=http://localhost:9', {}, false);
    const options = { maxBytes: 10, signal, onProgress: () => undefined };
    const refused = { code: 'SOURCE_PRIVATE' };
    await expect(fetchFile(named, 'risk.onnx', folder, options)).rejects.toMatchObject(refused);
  });

  it('of plain HTTP is one of a private network', () => {
    expect(() => requireAllowed('host', ['8.8.8.8'], 'http:', true)).toThrow(/write https:/);
    expect(requireAllowed('host', ['8.8.8.8', '10.0.0.1'], 'http:', true)).toEqual(['10.0.0.1']);
    expect(requireAllowed('host', ['8.8.8.8', '10.0.0.1'], 'https:', false)).toEqual(['8.8.8.8']);
    expect(() => requireAllowed('host', ['8.8.8.8', '10.0.0.1'], 'http:', false)).toThrow(
      /not a public/,
    );
  });

  it('that redirects is followed, but not for ever, and not to another scheme', async () => {
    const to = (location: string) =>
      server.answers.set('/moved', (response) => void response.writeHead(302, { location }).end());
    to('/files/risk.onnx');
    expect(await fetched(`${server.url}/moved`)).toEqual(bytes);
    for (const [location, why] of [
      ['/moved', /again and again/],
      ['file:///etc/passwd', /redirects to/],
      ['ftp://host/file?sig=s3cr3t', /redirects to "ftp:\/\/host\/file"/],
    ] as const) {
      to(location);
      await expect(fetched(`${server.url}/moved`)).rejects.toMatchObject({
        code: 'SOURCE_UNKNOWN',
        message: expect.stringMatching(why),
      });
    }
  });
});

it('keeps a file whose name climbs out of its folder inside', async () => {
  const source = await open(`${server.url}/files/..%2F..%2Frisk.onnx`);
  expect(source.fileName).toBe('risk.onnx');
});

describe('Hugging Face', () => {
  const commit = 'a'.repeat(40);
  const env = () => ({ HF_ENDPOINT: server.url, HF_TOKEN: 'token' });
  const list = (...names: string[]) =>
    server.answers.set('/api/models/owner/model/revision/main', (response) => {
      const siblings = names.map((rfilename) => ({ rfilename }));
      response.end(JSON.stringify({ sha: commit, siblings }));
    });

  it('gives the files of one commit, from where its store has them', async () => {
    list('README.md', 'onnx/model.onnx', 'onnx/model_fp16.onnx', 'onnx/model.onnx_data');
    const resolved = `/owner/model/resolve/${commit}/onnx`;
    server.answers.set(`${resolved}/model.onnx`, (response) => {
      const digest = createHash('sha256').update(bytes).digest('hex');
      response
        .writeHead(302, { location: '/files/risk.onnx', 'x-linked-etag': `"${digest}"` })
        .end();
    });
    server.files.set(`${resolved}/model.onnx_data`, Buffer.from('weights'));
    const source = await open('hf://owner/model', env());
    expect(source).toMatchObject({ name: 'model', fileName: 'model.onnx', revision: commit });
    expect(await fetched('hf://owner/model', { env: env() })).toEqual(bytes);
    expect(await fetched('hf://owner/model', { env: env(), name: 'model.onnx_data' })).toEqual(
      Buffer.from('weights'),
    );
    // A token goes over TLS only.
    expect(server.requests.some(({ headers }) => 'authorization' in headers)).toBe(false);
  });

  it('states a digest, which the file must have', async () => {
    list('model.onnx');
    server.answers.set(`/owner/model/resolve/${commit}/model.onnx`, (response) => {
      response
        .writeHead(302, { location: '/files/risk.onnx', 'x-linked-etag': `"${'b'.repeat(64)}"` })
        .end();
    });
    await expect(fetched('hf://owner/model', { env: env() })).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
    });
    expect(await readdir(folder)).not.toContain('model.onnx');
  });

  it.skipIf(openssl.skip)(
    'gets the token over TLS, and the store of its files does not',
    async () => {
      const authority = createAuthority(folder, 'ca');
      const issued = authority.issue('server');
      const pair = { key: await readFile(issued.key), cert: await readFile(issued.certificate) };
      const before = getCACertificates('default');
      setDefaultCACertificates([...before, authority.pem.toString()]);
      onTestFinished(() => setDefaultCACertificates(before));
      await using hub = await startFileServer(pair);
      await using store = await startFileServer(pair);
      store.files.set('/risk', bytes);
      hub.answers.set('/api/models/owner/model/revision/v1', (response) => {
        response.end(JSON.stringify({ sha: commit, siblings: [] }));
      });
      hub.answers.set(`/owner/model/resolve/${commit}/risk.onnx`, (response) => {
        response.writeHead(302, { location: `${store.url}/risk` }).end();
      });
      const secure = { HF_ENDPOINT: hub.url, HF_TOKEN: 'token' };
      expect(await fetched('hf://owner/model@v1:risk.onnx', { env: secure })).toEqual(bytes);
      const sent = hub.requests.map(({ headers }) => headers.authorization);
      expect(sent).toEqual(['Bearer token', 'Bearer token']);
      expect(store.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
      hub.answers.set('/down', (response) => {
        response.writeHead(302, { location: `${server.url}/files/risk.onnx` }).end();
      });
      const down = fetched(`${hub.url}/down`);
      await expect(down).rejects.toThrow(/redirects from https to http/);
      const named = { env: { OURS: 'x' }, allowPrivate: true, signal, tokenEnv: 'OTHER' };
      await expect(openSource(`${hub.url}/down`, named)).rejects.toThrow(/OTHER.*not set/);
    },
  );

  it.each([
    ['hf://owner/model', ['a.onnx', 'b.onnx'], /name one of a.onnx, b.onnx after a colon/],
    ['hf://owner/model', ['model.safetensors'], /no ONNX file; it has model.safetensors/],
    ['hf://owner/model:c.onnx', ['a.onnx'], /no file c.onnx.*it has a.onnx/],
    ['hf://owner/other', [], /does not exist/],
  ])('%s with %j is refused', async (address, names, message) => {
    list(...names);
    await expect(open(address, env())).rejects.toMatchObject({
      code: 'SOURCE_UNKNOWN',
      message: expect.stringMatching(message),
    });
  });
});

describe('buckets', () => {
  it.skipIf(moto.skip)(
    'of S3 continue a broken download, and name an object that is missing',
    async () => {
      const bucket = await startMotoServer();
      onTestFinished(() => bucket[Symbol.asyncDispose]());
      for (const [name, value] of Object.entries(MOTO_CREDENTIALS)) vi.stubEnv(name, value);
      onTestFinished(() => void vi.unstubAllEnvs());
      await bucket.bucket('models');
      const put = { method: 'PUT', headers: MOTO_HEADERS, body: bytes };
      const stored = await fetch(`${bucket.endpoint}/models/team/risk.onnx`, put);
      const address = (key: string) => `s3://models/${key}?endpoint=${bucket.endpoint}`;
      const part = join(folder, 'risk.onnx.part');
      await writeFile(part, bytes.subarray(0, 1000));
      await writeFile(`${part}.tag`, stored.headers.get('etag')!);
      expect(await fetched(address('team/risk.onnx'))).toEqual(bytes);
      await writeFile(part, randomBytes(1000));
      await writeFile(`${part}.tag`, '"another"');
      expect(await fetched(address('team/risk.onnx'))).toEqual(bytes);
      await expect(fetched(address('team/none.onnx'))).rejects.toMatchObject({
        code: 'SOURCE_UNKNOWN',
      });
    },
    60_000,
  );

  it('of Google give an object, also after a break', async () => {
    const gcs = await startGcsServer();
    onTestFinished(() => gcs[Symbol.asyncDispose]());
    gcs.buckets.set('models', new Map());
    gcs.store('models', 'team/risk.onnx', bytes);
    gcs.plant({ method: 'GET', on: 'alt=media', times: 1, cutAfter: 1000 });
    const address = `gs://models/team/risk.onnx?endpoint=${gcs.endpoint}`;
    expect(await fetched(address)).toEqual(bytes);
    const missing = `gs://models/team/none.onnx?endpoint=${gcs.endpoint}`;
    await expect(fetched(missing)).rejects.toMatchObject({ code: 'SOURCE_UNKNOWN' });
  });
});
