import { createHash, randomBytes } from 'node:crypto';
import { createServer, request as forward, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { mountTinyDisk, tinyDisk } from '../testing/tiny-disk.ts';
import { openArtifacts } from './open-artifacts.ts';
import { parseBucketAddress } from './bucket-address.ts';
import { GCS_FORM } from './gcs-artifacts.ts';
import { openS3Artifacts, S3_FORM } from './s3-artifacts.ts';
import { startFaultyBucket } from './testing/faulty-bucket.ts';
import { MOTO_CREDENTIALS, startMotoServer, type MotoServer } from './testing/moto-server.ts';

const moto = requireComponent('python3-moto');

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

let folder: string;
beforeEach(() => {
  folder = testFolder();
});

describe.skipIf(moto.skip)('a bucket', () => {
  let server: MotoServer;
  beforeAll(async () => {
    Object.assign(process.env, MOTO_CREDENTIALS);
    server = await startMotoServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('serves from its local copies, and fetches a damaged copy again', async () => {
    const url = await server.bucket('copies');
    const artifacts = await openArtifacts(url, folder);
    const bytes = randomBytes(1000);
    const { digest } = await artifacts.put(chunks(bytes), 1 << 20);
    const path = await artifacts.pathOf(digest);
    await rm(path);
    expect(await artifacts.pathOf(digest)).toBe(path);
    expect(await readdir(folder)).toEqual([digest]);
    await artifacts.close();
  });

  it('keeps local copies within their bound, the most recently used ones', async () => {
    const url = await server.bucket('bound');
    const cacheFolder = join(folder, 'cache');
    const first = await openS3Artifacts({ url, cacheFolder });
    const digests: string[] = [];
    for (let index = 0; index < 6; index++) {
      digests.push((await first.put(chunks(randomBytes(1000)), 1 << 20)).digest);
    }
    await first.close();
    // Another process finds copies that it has not requested itself.
    const second = await openS3Artifacts({ url, cacheFolder, cacheBytes: 3500 });
    await second.pathOf(digests[0]!);
    const kept = await readdir(cacheFolder);
    expect(kept).toHaveLength(3);
    expect(kept).toContain(digests[0]);
    // An artifact that was just requested stays, whatever the bound.
    for (const digest of digests) await second.pathOf(digest);
    expect(await readdir(cacheFolder)).toHaveLength(6);
    await second.close();
  });

  it.skipIf(tinyDisk.skip)(
    `keeps copies on a third of a small disk: the rest is for what comes ${tinyDisk.reason}`,
    async () => {
      const url = await server.bucket('small-disk');
      using disk = mountTinyDisk('size=12m');
      const cacheFolder = disk.folder;
      const first = await openS3Artifacts({ url, cacheFolder });
      const digests: string[] = [];
      for (let index = 0; index < 8; index++) {
        digests.push((await first.put(chunks(randomBytes(2 ** 20)), 2 ** 20)).digest);
      }
      await first.close();
      const second = await openS3Artifacts({ url, cacheFolder });
      await second.pathOf(digests[0]!);
      expect(await readdir(cacheFolder)).toHaveLength(4);
      await second.close();
    },
  );

  it('names the missing bucket', async () => {
    const url = `s3://never-made?endpoint=${server.endpoint}`;
    await expect(openS3Artifacts({ url, cacheFolder: folder })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('never-made') as string,
    });
  });

  it('that is silent fails a request after its bound', async () => {
    const bucket = await startFaultyBucket(server.endpoint);
    const url = bucket.of(await server.bucket('silent'));
    const artifacts = await openS3Artifacts({ url, cacheFolder: folder, silenceMs: 200 });
    bucket.answer = 'silent';
    // It is asked once, so that a start that fails reports it.
    await expect(
      openS3Artifacts({ url, cacheFolder: folder, silenceMs: 200 }),
    ).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('no answer in 0.2 s') as string,
    });
    const unreachable = { code: 'STORE_UNREACHABLE' };
    await expect(artifacts.put(chunks(randomBytes(1000)), 1 << 20)).rejects.toMatchObject(
      unreachable,
    );
    await expect(artifacts.pathOf('0'.repeat(64))).rejects.toMatchObject(unreachable);
    // Nothing of the upload stays.
    expect(await readdir(folder)).toEqual([]);
    bucket.answer = 'pass';
    await artifacts.put(chunks(randomBytes(1000)), 1 << 20);
    await artifacts.close();
    bucket.close();
  });

  it('is also used where checksums and the removal of many objects are refused, as Google does', async () => {
    const refused: string[] = [];
    const strict = createServer((request, response) => {
      const asked = [...Object.keys(request.headers), request.headers['content-encoding'] ?? ''];
      const unknown = asked.filter((name) =>
        /^x-amz-(checksum|sdk-checksum|trailer)|aws-chunked/.test(name),
      );
      if (request.url?.includes('?delete')) unknown.push('DeleteObjects');
      if (unknown.length > 0) {
        refused.push(...unknown);
        response.writeHead(400).end();
        return;
      }
      const { method, url, headers } = request;
      const passed = forward(new URL(url!, server.endpoint), { method, headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      });
      request.pipe(passed);
    });
    await new Promise<void>((done) => {
      strict.listen(0, '127.0.0.1', done);
    });
    const url = await server.bucket('strict');
    const endpoint = `http://127.0.0.1:${(strict.address() as AddressInfo).port}`;
    const artifacts = await openS3Artifacts({
      url: url.replace(server.endpoint, endpoint),
      cacheFolder: folder,
      partBytes: 5 * 2 ** 20,
    });
    const small = await artifacts.put(chunks(randomBytes(10)), 100);
    const large = await artifacts.put(chunks(randomBytes(6 * 2 ** 20)), 2 ** 30);
    expect((await artifacts.list()).toSorted()).toEqual([small.digest, large.digest].toSorted());
    expect(await artifacts.sizeOf(large.digest)).toBe(6 * 2 ** 20);
    await artifacts.remove(small.digest);
    expect(refused).toEqual([]);
    await artifacts.close();
    strict.closeAllConnections();
    strict.close();
  });

  it('reports that access is denied', async () => {
    const closed = createServer((_, response) => response.writeHead(403).end());
    await new Promise<void>((done) => {
      closed.listen(0, '127.0.0.1', done);
    });
    const url = `s3://b?endpoint=http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
    await expect(openS3Artifacts({ url, cacheFolder: folder })).rejects.toMatchObject({
      code: 'STORE_DENIED',
      message: expect.stringContaining('bucket b') as string,
    });
    closed.close();
  });

  it('keeps no copy of an artifact that did not reach the bucket', async () => {
    const short = await startMotoServer();
    const artifacts = await openS3Artifacts({
      url: await short.bucket('gone'),
      cacheFolder: folder,
    });
    const stored = randomBytes(10);
    const { digest } = await artifacts.put(chunks(stored), 100);
    await short[Symbol.asyncDispose]();
    const unreachable = { code: 'STORE_UNREACHABLE' };
    await expect(artifacts.put(chunks(randomBytes(1000)), 9999)).rejects.toMatchObject(unreachable);
    // The same bytes once more do not take the copy away that the first ones left.
    await expect(artifacts.put(chunks(stored), 100)).rejects.toMatchObject(unreachable);
    await expect(artifacts.list()).rejects.toMatchObject(unreachable);
    await expect(artifacts.sizeOf(digest)).rejects.toMatchObject(unreachable);
    // The copy is as valid as the original.
    await expect(artifacts.pathOf(digest)).resolves.toContain(digest);
    expect(await readdir(folder)).toEqual([digest]);
    await artifacts.close();
  });
});

/** Answers each request on its own. @returns its address, `http://127.0.0.1:PORT`. */
async function answering(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the error of a bucket', () => {
  beforeAll(() => void Object.assign(process.env, MOTO_CREDENTIALS));

  it.each([
    { status: 400, reason: 'ExpiredToken', code: 'STORE_DENIED' },
    { status: 400, reason: 'InvalidToken', code: 'STORE_DENIED' },
    { status: 400, reason: 'AuthorizationHeaderMalformed', code: 'STORE_UNREACHABLE' },
    { status: 301, reason: 'PermanentRedirect', code: 'STORE_UNREACHABLE' },
    { status: 404, reason: 'NoSuchBucket', code: 'STORE_UNREACHABLE' },
  ])('reports $reason when it is opened', async ({ status, reason, code }) => {
    const endpoint = await answering(({ method }, response) => {
      response.writeHead(status, { 'content-type': 'application/xml' });
      const body = `<Error><Code>${reason}</Code><Message>Why.</Message></Error>`;
      response.end(method === 'HEAD' ? undefined : body);
    });
    const url = `s3://b?endpoint=${endpoint}`;
    await expect(openS3Artifacts({ url, cacheFolder: folder })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`${reason}: Why.`) as string,
    });
  });

  it('names the region in which the bucket is', async () => {
    const endpoint = await answering((_, response) => {
      response.writeHead(301, { 'x-amz-bucket-region': 'eu-west-1' });
      response.end('<Error><Code>PermanentRedirect</Code><Message>Elsewhere.</Message></Error>');
    });
    const url = `s3://b?endpoint=${endpoint}&region=us-east-1`;
    await expect(openS3Artifacts({ url, cacheFolder: folder })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('add region=eu-west-1 to its address.') as string,
    });
  });

  it.each([
    { status: 403, code: 'STORE_DENIED' },
    { status: 200, code: 'STORE_UNREACHABLE' },
  ])('is a line where a proxy answers $status with a page', async ({ status, code }) => {
    const endpoint = await answering((_, response) => {
      response.writeHead(status, { 'content-type': 'text/html' });
      response.end('<html><body>Proxy<br></body></html>');
    });
    const url = `s3://b?endpoint=${endpoint}`;
    await expect(openS3Artifacts({ url, cacheFolder: folder })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(
        new RegExp(`: status ${status}, with a body .*\\.$`),
      ) as string,
    });
  });

  it('is a line where a proxy answers for Google', async () => {
    const endpoint = await answering((_, response) => {
      response.writeHead(403, { 'content-type': 'text/html' });
      response.end('<html>\n<body>Proxy<br></body></html>');
    });
    await expect(openArtifacts(`gs://b?endpoint=${endpoint}`, folder)).rejects.toMatchObject({
      code: 'STORE_DENIED',
      message: expect.stringMatching(/^[^<\n]+: 403\.$/) as string,
    });
  });
});

describe.each(['s3', 'gs'])('a bucket at %s:// whose server ignores ranges', (scheme) => {
  beforeAll(() => void Object.assign(process.env, MOTO_CREDENTIALS));

  const bytes = randomBytes(100_000);
  const digest = createHash('sha256').update(bytes).digest('hex');

  /** @param cuts how many downloads it cuts off in the middle. */
  async function opened(cuts: number) {
    let left = cuts;
    const endpoint = await answering(({ url }, response) => {
      if (url?.includes(digest) !== true) {
        response.end(scheme === 's3' ? '<ListBucketResult></ListBucketResult>' : '{}');
        return;
      }
      response.writeHead(200, { 'content-length': bytes.byteLength });
      left -= 1;
      if (left < 0) response.end(bytes);
      else response.write(bytes.subarray(0, 60_000), () => response.destroy());
    });
    const artifacts = await openArtifacts(`${scheme}://b?endpoint=${endpoint}`, folder);
    onTestFinished(() => artifacts.close());
    return artifacts;
  }

  it('is read on after a break', async () => {
    const path = await (await opened(2)).pathOf(digest);
    expect(await readFile(path)).toEqual(bytes);
  });

  it('fails when each answer breaks at the same place', async () => {
    await expect((await opened(Infinity)).pathOf(digest)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    });
  });
});

describe('the address of a bucket', () => {
  it('without a region is refused where the environment has none', async () => {
    const nowhere = join(folder, 'none');
    const set = { AWS_CONFIG_FILE: nowhere, AWS_SHARED_CREDENTIALS_FILE: nowhere, AWS_REGION: '' };
    for (const [name, value] of Object.entries(set)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(openS3Artifacts({ url: 's3://b', cacheFolder: folder })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('s3://b?region=eu-central-1') as string,
    });
  });

  it('has a bucket, and may have a prefix, an endpoint and a region', () => {
    expect(
      parseBucketAddress('s3://b/x/y/?endpoint=http://h:9000&region=eu-west-1', S3_FORM),
    ).toEqual({
      bucket: 'b',
      prefix: 'x/y/',
      endpoint: 'http://h:9000',
      region: 'eu-west-1',
    });
    expect(parseBucketAddress('gs://b', GCS_FORM)).toMatchObject({ bucket: 'b', prefix: '' });
  });

  it.each([
    ['s3:', 'look like'],
    ['http://b/x', 'look like'],
    ['s3://me:secret@b', 'AWS_SECRET_ACCESS_KEY'],
    ['s3://b?endpoint=h:9000', 'http://'],
    ['s3://b?endpoint=http://me:secret@h:9000', 'AWS_SECRET_ACCESS_KEY'],
    ['s3://b?key=x', 'no parameter "key"'],
    ['s3://minio:9000/b', 's3://bucket/prefix?endpoint=http://minio:9000'],
    ['s3://b/100%', 'written as %25'],
    ['s3://b/x#y', 'written as %23'],
    ['s3://b?region=', 'its region is empty'],
    ['s3://b?endpoint=http://[::', 'not a URL'],
    ['gs:///b', 'gs://bucket/prefix'],
    ['gs://me:secret@b', 'GOOGLE_APPLICATION_CREDENTIALS'],
    ['gs://b?region=eu', 'no parameter "region"'],
  ])('"%s" is refused', (text, why) => {
    const parse = () => parseBucketAddress(text, text.startsWith('gs:') ? GCS_FORM : S3_FORM);
    expect(parse).toThrow(why);
    expect(parse).not.toThrow('secret@');
  });
});
