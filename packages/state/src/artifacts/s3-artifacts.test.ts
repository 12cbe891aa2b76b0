import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { openArtifacts } from './open-artifacts.ts';
import { parseS3Address } from './s3-address.ts';
import { openS3Artifacts } from './s3-artifacts.ts';
import { MOTO_CREDENTIALS, startMotoServer, type MotoServer } from './testing/moto-server.ts';

const moto = requireComponent('python3-moto');

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-cache-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

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

  it('names the missing bucket', async () => {
    const url = `s3://never-made?endpoint=${server.endpoint}`;
    await expect(openS3Artifacts({ url, cacheFolder: folder })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('never-made') as string,
    });
  });

  it('keeps no copy of an artifact that did not reach the bucket', async () => {
    const short = await startMotoServer();
    const artifacts = await openS3Artifacts({
      url: await short.bucket('gone'),
      cacheFolder: folder,
    });
    const { digest } = await artifacts.put(chunks(randomBytes(10)), 100);
    await short[Symbol.asyncDispose]();
    const unreachable = { code: 'STORE_UNREACHABLE' };
    await expect(artifacts.put(chunks(randomBytes(1000)), 9999)).rejects.toMatchObject(unreachable);
    await expect(artifacts.list()).rejects.toMatchObject(unreachable);
    await expect(artifacts.sizeOf(digest)).rejects.toMatchObject(unreachable);
    // The copy is as valid as the original.
    await expect(artifacts.pathOf(digest)).resolves.toContain(digest);
    expect(await readdir(folder)).toEqual([digest]);
    await artifacts.close();
  });
});

describe('the address of a bucket', () => {
  it('has a bucket, and may have a prefix, an endpoint and a region', () => {
    expect(parseS3Address('s3://b/x/y/?endpoint=http://h:9000&region=eu-west-1')).toEqual({
      bucket: 'b',
      prefix: 'x/y/',
      endpoint: 'http://h:9000',
      region: 'eu-west-1',
    });
    expect(parseS3Address('s3://b')).toMatchObject({ bucket: 'b', prefix: '' });
  });

  it.each([
    ['s3:', 'look like'],
    ['http://b/x', 'look like'],
    ['s3://me:secret@b', 'AWS_SECRET_ACCESS_KEY'],
    ['s3://b?endpoint=h:9000', 'http://'],
    ['s3://b?key=x', 'no parameter "key"'],
  ])('"%s" is refused', (text, why) => {
    const parse = () => parseS3Address(text);
    expect(parse).toThrow(why);
    expect(parse).not.toThrow('secret@');
  });
});
