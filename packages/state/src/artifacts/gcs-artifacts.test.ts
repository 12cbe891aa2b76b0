/** Faults of a bucket of Google Cloud Storage, with the real client against a stand-in of the service. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import type { ArtifactStore } from '../contract.ts';
import type { BucketOptions } from './bucket-artifacts.ts';
import { openGcsArtifacts } from './gcs-artifacts.ts';
import { openArtifacts } from './open-artifacts.ts';
import { startGcsServer, type GcsServer } from './testing/gcs-server.ts';

const openssl = requireComponent('openssl');
const PART = 5 * 2 ** 20;

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}
async function all(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}

let folder: string;
let server: GcsServer;
let kept: NodeJS.ProcessEnv;
beforeEach(async () => {
  kept = { ...process.env };
  folder = testFolder();
  server = await startGcsServer();
  server.buckets.set('b', new Map());
});
afterEach(async () => {
  process.env = kept;
  await server[Symbol.asyncDispose]();
});
const open = (more: Partial<BucketOptions> = {}): Promise<ArtifactStore> =>
  openGcsArtifacts({
    url: `gs://b/p?endpoint=${server.endpoint}`,
    cacheFolder: folder,
    partBytes: PART,
    ...more,
  });

describe('a bucket of Google', () => {
  it('is asked again after 429, 5xx and for each kind of request', async () => {
    const artifacts = await open();
    const bytes = randomBytes(1000);
    const digest = digestOf(bytes);
    const other = randomBytes(10);
    server.store('b', `p/${digestOf(other)}`, other);
    server.store('b', `p/${digest}`, bytes);
    server.plant({ method: 'POST', on: 'uploadType=media', times: 1, status: 503 });
    server.plant({ method: 'GET', on: '?prefix=', times: 1, status: 500 });
    server.plant({ method: 'GET', on: `${digest}?alt=media`, times: 1, status: 429 });
    server.plant({ method: 'DELETE', on: digestOf(other), times: 1, status: 502 });
    const third = randomBytes(20);
    const [read] = await Promise.all([
      all(artifacts.read(digest)),
      artifacts.list(),
      artifacts.remove(digestOf(other)),
      artifacts.put(chunks(third), 100),
    ]);
    expect(read).toEqual(bytes);
    expect([...server.buckets.get('b')!.keys()].toSorted()).toEqual(
      [`p/${digest}`, `p/${digestOf(third)}`].toSorted(),
    );
  });

  it.each([
    ['a part that failed', undefined],
    ['a part that arrived although its answer was a failure', true] as const,
  ])('gets a large artifact in parts, and continues after %s', async (_, afterwards) => {
    const artifacts = await open();
    const bytes = randomBytes(3 * PART + 17);
    const fault = { method: 'PUT', on: 'upload_id=', times: 1, status: 503 };
    server.plant(afterwards ? { ...fault, afterwards } : fault);
    const { digest } = await artifacts.put(chunks(bytes), 1 << 30);
    expect(server.buckets.get('b')!.get(`p/${digest}`)!.bytes.equals(bytes)).toBe(true);
    // Four parts, one question, and the part that failed once more.
    const puts = server.requests.filter((each) => each.startsWith('PUT'));
    expect(puts).toHaveLength(afterwards ? 5 : 6);
  });

  it('finds that a large artifact has arrived when only the last answer was lost', async () => {
    const artifacts = await open();
    const bytes = randomBytes(PART + 1);
    const fault = {
      method: 'PUT',
      on: 'upload_id=',
      times: 2,
      status: 503,
      afterwards: true,
    } as const;
    server.plant(fault);
    const { digest } = await artifacts.put(chunks(bytes), 1 << 30);
    expect(server.buckets.get('b')!.get(`p/${digest}`)!.bytes.equals(bytes)).toBe(true);
  });

  it('keeps nothing of an upload that the server ends before its last part', async () => {
    const artifacts = await open();
    server.plant({ method: 'PUT', on: 'upload_id=', times: 1, part: 'last' });
    await expect(artifacts.put(chunks(randomBytes(3 * PART + 1)), 1 << 30)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/MD5/) as string,
    });
    expect(server.buckets.get('b')!.size).toBe(0);
  });

  it('sends a part again that the server did not keep, and not for ever', async () => {
    const artifacts = await open();
    const bytes = randomBytes(PART + 1);
    server.plant({ method: 'PUT', on: 'upload_id=', times: 1, part: 'dropped' });
    const { digest } = await artifacts.put(chunks(bytes), 1 << 30);
    expect(server.buckets.get('b')!.get(`p/${digest}`)!.bytes.equals(bytes)).toBe(true);
    server.plant({ method: 'PUT', on: 'upload_id=', times: Infinity, part: 'dropped' });
    await expect(artifacts.put(chunks(randomBytes(PART + 1)), 1 << 30)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    });
    expect(server.openSessions()).toEqual([]);
  });

  it('ends an upload that fails for good', async () => {
    const artifacts = await open();
    server.plant({ method: 'PUT', on: 'upload_id=', times: 1, status: 403 });
    await expect(artifacts.put(chunks(randomBytes(PART + 1)), 1 << 30)).rejects.toMatchObject({
      code: 'STORE_DENIED',
    });
    expect(server.openSessions()).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('continues a download where the connection broke', async () => {
    const bytes = randomBytes(700_000);
    const digest = digestOf(bytes);
    server.store('b', `p/${digest}`, bytes);
    const artifacts = await open();
    server.plant({ method: 'GET', on: 'alt=media', times: 2, cutAfter: 200_000 });
    expect(await readFile(await artifacts.pathOf(digest))).toEqual(bytes);
    expect(server.requests.filter((each) => each.includes('alt=media'))).toHaveLength(3);
  });

  it('keeps nothing of an upload whose bytes arrived changed', async () => {
    const artifacts = await open();
    server.plant({ method: 'POST', on: 'uploadType=media', times: 9, damages: true });
    await expect(artifacts.put(chunks(randomBytes(100)), 100)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/MD5/) as string,
    });
    expect(server.buckets.get('b')!.size).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    [403, 'forbidden', 'STORE_DENIED'],
    [401, 'authError', 'STORE_DENIED'],
    [403, 'quotaExceeded', 'STORAGE_FULL'],
    [400, 'invalid', 'STORE_UNREACHABLE'],
  ])('answers %i %s: %s', async (status, reason, code) => {
    server.plant({ method: 'GET', on: '?prefix=', times: 1, status, reason });
    await expect(open()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`bucket b at ${server.endpoint}`) as string,
    });
  });

  it('is named when it does not exist, or its server does not answer', async () => {
    server.buckets.clear();
    const named = {
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('bucket b') as string,
    };
    await expect(open()).rejects.toMatchObject(named);
    await server[Symbol.asyncDispose]();
    await expect(open()).rejects.toMatchObject(named);
  });

  describe('that is silent', () => {
    const silent = {
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/SilenceError: no answer in [\d.]+ s/) as string,
    };
    const asked = (on: string) => server.requests.filter((each) => each.includes(on));
    let artifacts: ArtifactStore;
    let bytes: Buffer;
    let digest: string;
    beforeEach(async () => {
      artifacts = await open({ silenceMs: 300 });
      bytes = randomBytes(700_000);
      digest = digestOf(bytes);
    });

    it('fails each kind of request after its bound, and one more try', async () => {
      server.store('b', `p/${digest}`, bytes);
      for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
        server.plant({ method, on: '/o', times: 99, silentAfter: 0 });
      }
      await Promise.all([
        expect(artifacts.pathOf(digest)).rejects.toMatchObject(silent),
        expect(artifacts.sizeOf(digest)).rejects.toMatchObject(silent),
        expect(artifacts.list()).rejects.toMatchObject(silent),
        expect(artifacts.remove(digest)).rejects.toMatchObject(silent),
        expect(artifacts.put(chunks(randomBytes(10)), 100)).rejects.toMatchObject(silent),
      ]);
      for (const each of ['alt=media', 'fields=size', 'DELETE', 'uploadType=media']) {
        expect(asked(each)).toHaveLength(2);
      }
      await expect(open({ silenceMs: 300 })).rejects.toMatchObject({
        code: 'STORE_UNREACHABLE',
        message: expect.stringContaining('no answer in 0.3 s') as string,
      });
    });

    it('in the middle of a download has its bytes asked for again from there on', async () => {
      server.store('b', `p/${digest}`, bytes);
      server.plant({ method: 'GET', on: 'alt=media', times: 1, silentAfter: 200_000 });
      expect(await readFile(await artifacts.pathOf(digest))).toEqual(bytes);
      expect(asked('alt=media').length).toBeGreaterThan(1);
    });

    it('in the middle of an upload is asked what it has', async () => {
      const large = randomBytes(2 * PART + 17);
      server.plant({ method: 'PUT', on: 'upload_id=', times: 1, silentAfter: 0 });
      const put = await artifacts.put(chunks(large), 1 << 30);
      expect(server.buckets.get('b')!.get(`p/${put.digest}`)!.bytes.equals(large)).toBe(true);
    });

    it('for an upload in parts fails it, and removes what has arrived', async () => {
      server.plant({ method: 'PUT', on: 'upload_id=', times: 99, silentAfter: 0 });
      await expect(artifacts.put(chunks(randomBytes(PART + 1)), 1 << 30)).rejects.toMatchObject(
        silent,
      );
      expect(server.openSessions()).toEqual([]);
    });
  });

  it('that is slow is waited for as long as bytes move', async () => {
    const silenceMs = 1000;
    // Beyond what the kernel holds of a connection; each way takes at least four bounds.
    const bytes = randomBytes(32 * 2 ** 20);
    const other = Buffer.concat([bytes, randomBytes(1)]);
    const digest = digestOf(bytes);
    server.store('b', `p/${digest}`, bytes);
    const artifacts = await open({ silenceMs, partBytes: other.byteLength + 2 ** 18 });
    server.plant({ method: 'GET', on: 'alt=media', times: 99, pauseMs: 70 });
    server.plant({ method: 'POST', on: 'uploadType=media', times: 99, pauseMs: 70 });
    const started = performance.now();
    const up = artifacts.put(chunks(other), 1 << 30);
    await artifacts.pathOf(digest);
    await up;
    expect(performance.now() - started).toBeGreaterThan(4 * silenceMs);
    // A machine that stands still for a second costs one of them.
    expect(server.requests.filter((each) => each.includes('alt=media')).length).toBeLessThan(4);
  });

  it('reports that there are no credentials', async () => {
    process.env['METADATA_SERVER_DETECTION'] = 'none';
    process.env['HOME'] = folder;
    delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
    await expect(openArtifacts('gs://b', folder)).rejects.toMatchObject({
      code: 'STORE_DENIED',
      message: expect.stringContaining('default credentials') as string,
    });
  });

  it.skipIf(openssl.skip)(
    `takes its token from the machine's metadata, as Workload Identity gives it ${openssl.reason}`,
    async () => {
      const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
      const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
      execFileSync('openssl', ['req', '-x509', ...made, ...subject, '-keyout', key, '-out', cert], {
        stdio: 'ignore',
      });
      const tls = { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
      const secured = await startGcsServer({ tls, token: 'of-the-pod' });
      const stand = { still: false };
      const metadata = createServer((request, response) => {
        if (stand.still) return;
        const token = { access_token: 'of-the-pod', expires_in: 3600, token_type: 'Bearer' };
        const isToken = request.url?.includes('/service-accounts/default/token') ?? false;
        response
          .setHeader('Metadata-Flavor', 'Google')
          .setHeader('Content-Type', 'application/json');
        response.end(isToken ? JSON.stringify(token) : '{}');
      });
      await new Promise<void>((done) => {
        metadata.listen(0, '127.0.0.1', done);
      });
      const authorities = getCACertificates();
      try {
        setDefaultCACertificates([...authorities, tls.cert]);
        process.env['GCE_METADATA_HOST'] = `127.0.0.1:${(metadata.address() as AddressInfo).port}`;
        process.env['HOME'] = folder;
        delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
        secured.buckets.set('b', new Map());
        const artifacts = await openArtifacts(
          `gs://b?endpoint=${secured.endpoint}`,
          join(folder, 'cache'),
        );
        const bytes = randomBytes(10);
        const { digest } = await artifacts.put(chunks(bytes), 100);
        expect(secured.buckets.get('b')!.get(digest)?.bytes).toEqual(bytes);
        expect(await artifacts.sizeOf(digest)).toBe(10);
        const late = { url: `gs://b?endpoint=${secured.endpoint}`, silenceMs: 200 };
        stand.still = true;
        await expect(openGcsArtifacts({ ...late, cacheFolder: folder })).rejects.toMatchObject({
          code: 'STORE_UNREACHABLE',
          message: expect.stringContaining('no answer in 0.2 s') as string,
        });
      } finally {
        setDefaultCACertificates(authorities);
        metadata.closeAllConnections();
        metadata.close();
        await secured[Symbol.asyncDispose]();
      }
    },
  );
});
