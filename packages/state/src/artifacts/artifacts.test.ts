/**
 * The contract of `ArtifactStore`, over every backend: files in a
 * folder, a bucket of a third-party S3 server, and one of a stand-in for Google Cloud Storage.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { mountTinyDisk, tinyDisk } from '../testing/tiny-disk.ts';
import type { ArtifactStore } from '../contract.ts';
import { openFileArtifacts } from './file-artifacts.ts';
import { openGcsArtifacts } from './gcs-artifacts.ts';
import type { ARTIFACT_BACKENDS } from './open-artifacts.ts';
import { openS3Artifacts } from './s3-artifacts.ts';
import { startGcsServer, type GcsServer } from './testing/gcs-server.ts';
import {
  MOTO_CREDENTIALS,
  MOTO_HEADERS,
  startMotoServer,
  type MotoServer,
} from './testing/moto-server.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';

const moto = requireComponent('python3-moto');

interface Place {
  /** Another process: it has only what is stored. */
  open(scratch?: string): Promise<ArtifactStore>;
  /** Replaces what is stored under the digest. */
  damage(digest: string, content: Uint8Array): Promise<void>;
  /** Every file or object of the backend, incomplete ones too. */
  names(): Promise<string[]>;
}

let server: MotoServer | undefined;
let google: GcsServer | undefined;
let buckets = 0;

/** Each backend of the registry needs a place to be tested in. */
const PLACES: Readonly<
  Record<keyof typeof ARTIFACT_BACKENDS, { skip: boolean; make(): Promise<Place> }>
> = {
  folder: {
    skip: false,
    async make() {
      const folder = testFolder();
      return {
        open: (scratch = folder) => openFileArtifacts(scratch, { shared: true }),
        async damage(digest, content) {
          await chmod(join(folder, digest), 0o600);
          await writeFile(join(folder, digest), content);
        },
        names: () => readdir(folder),
      };
    },
  },
  s3: {
    skip: moto.skip,
    async make() {
      server ??= await startMotoServer();
      const { endpoint } = server;
      const bucket = `bucket-${++buckets}`;
      const url = await server.bucket(bucket);
      const folder = testFolder();
      const object = (key: string) => `${endpoint}/${bucket}/${key}`;
      let opened = 0;
      return {
        open: (scratch = join(folder, String(++opened))) =>
          openS3Artifacts({ url, cacheFolder: scratch, partBytes: 5 * 2 ** 20 }),
        async damage(digest, content) {
          const body = new Uint8Array(content);
          const url = object(`jobs/artifacts/${digest}`);
          const put = await fetch(url, { method: 'PUT', body, headers: MOTO_HEADERS });
          expect(put.status).toBe(200);
        },
        async names() {
          const get = async (key: string) =>
            (await fetch(object(key), { headers: MOTO_HEADERS })).text();
          const listed = (await get('')) + (await get('?uploads'));
          return [...listed.matchAll(/<Key>(?:jobs\/artifacts\/)?([^<]*)</g)].map(
            ([, key]) => key!,
          );
        },
      };
    },
  },
  gcs: {
    skip: false,
    async make() {
      // Lists of more than two objects have several pages.
      google ??= await startGcsServer({ pageSize: 2 });
      const { buckets: stored, endpoint, openSessions, store } = google;
      const bucket = `bucket-${++buckets}`;
      stored.set(bucket, new Map());
      const folder = testFolder();
      const url = `gs://${bucket}/jobs/artifacts?endpoint=${endpoint}`;
      let opened = 0;
      return {
        open: (scratch = join(folder, String(++opened))) =>
          openGcsArtifacts({ url, cacheFolder: scratch, partBytes: 5 * 2 ** 20 }),
        async damage(digest, content) {
          store(bucket, `jobs/artifacts/${digest}`, content);
        },
        async names() {
          const keys = [...stored.get(bucket)!.keys()].map((key) => key.replace(/.*\//, ''));
          return [...keys, ...openSessions()];
        },
      };
    },
  },
};

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}
async function all(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}
const corrupt = { code: 'ARTIFACT_CORRUPT' };

beforeAll(() => {
  Object.assign(process.env, MOTO_CREDENTIALS);
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await google?.[Symbol.asyncDispose]();
});

describe.each(Object.entries(PLACES).filter(([, { skip }]) => !skip))(
  'artifacts in %s',
  (_, backend) => {
    let place: Place;
    let artifacts: ArtifactStore;
    beforeEach(async () => {
      place = await backend.make();
      artifacts = await place.open();
    });
    afterEach(async () => {
      await artifacts.close();
    });

    it('stores any stream under the sha-256 of its bytes, and reads back any range of it', async () => {
      const parts = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(parts, fc.nat(2000), fc.nat(2000), async (given, start, length) => {
          const whole = Buffer.concat(given);
          const put = await artifacts.put(chunks(...given), 1 << 20);
          expect(put).toEqual({ digest: sha256(whole), sizeBytes: whole.byteLength });
          expect(await artifacts.sizeOf(put.digest)).toBe(whole.byteLength);
          expect(await all(artifacts.read(put.digest))).toEqual(whole);
          expect(await readFile(await artifacts.pathOf(put.digest))).toEqual(whole);
          const range = { start, end: start + length };
          expect(await all(artifacts.read(put.digest, range))).toEqual(
            whole.subarray(start, start + length),
          );
        }),
        { numRuns: 15 },
      );
    });

    it('stores an artifact larger than any buffer, and another process reads it', async () => {
      const part = randomBytes(1_000_003);
      const parts = Array.from({ length: 12 }, () => part);
      const { digest, sizeBytes } = await artifacts.put(chunks(...parts), 2 ** 30);
      expect(sizeBytes).toBe(12 * part.byteLength);
      const other = await place.open();
      const hash = createHash('sha256');
      let pieces = 0;
      for await (const chunk of other.read(digest)) {
        hash.update(chunk);
        pieces += 1;
      }
      expect(hash.digest('hex')).toBe(digest);
      expect(pieces).toBeGreaterThan(5);
      const middle = { start: 6_000_000, end: 6_000_100 };
      expect(await all(other.read(digest, middle))).toEqual(
        Buffer.concat(parts).subarray(6_000_000, 6_000_100),
      );
      await other.close();
    });

    it('stores the text of a stream of strings, and bounds its bytes', async () => {
      const artifacts = await place.open();
      const put = await artifacts.put(Readable.from(['grü', 'ße']), 7);
      expect(put.sizeBytes).toBe(7);
      expect(await text(artifacts.read(put.digest))).toBe('grüße');
      const larger = artifacts.put(Readable.from(['grüße']), 6);
      await expect(larger).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
    });

    it('lists exactly the stored artifacts', async () => {
      const digests: string[] = [];
      for (let index = 0; index < 5; index++) {
        digests.push((await artifacts.put(chunks(randomBytes(9)), 99)).digest);
      }
      const other = await place.open();
      expect((await other.list()).toSorted()).toEqual(digests.toSorted());
      await other.remove(digests[0]!);
      await other.remove(digests[0]!);
      expect((await other.list()).toSorted()).toEqual(digests.slice(1).toSorted());
      await expect(other.sizeOf(digests[0]!)).rejects.toMatchObject({ code: 'ARTIFACT_UNKNOWN' });
      await other.close();
    });

    it('returns no last byte of a damaged artifact, no byte of a range, and no path', async () => {
      const bytes = randomBytes(1_500_000);
      const { digest } = await artifacts.put(chunks(bytes), 1 << 23);
      const flipped = Buffer.from(bytes);
      flipped[7] = flipped[7]! ^ 1;
      for (const damaged of [flipped, bytes.subarray(0, -1), Buffer.concat([bytes, bytes]), '']) {
        await place.damage(digest, Buffer.from(damaged));
        const other = await place.open();
        let handedOut = 0;
        const reading = (async () => {
          for await (const chunk of other.read(digest)) handedOut += chunk.byteLength;
        })();
        await expect(reading).rejects.toMatchObject(corrupt);
        expect(handedOut).toBeLessThan(Math.max(1, damaged.length));
        await expect(all(other.read(digest, { start: 0, end: 1 }))).rejects.toMatchObject(corrupt);
        await expect(other.pathOf(digest)).rejects.toMatchObject(corrupt);
        await other.close();
      }
      await artifacts.put(chunks(bytes), 1 << 23);
      const healed = await place.open();
      expect(bytes.equals(await all(healed.read(digest)))).toBe(true);
      await healed.close();
    });

    it('refuses an unknown digest', async () => {
      const missing = '0'.repeat(64);
      await expect(all(artifacts.read(missing))).rejects.toMatchObject(corrupt);
      await expect(artifacts.pathOf(missing)).rejects.toMatchObject(corrupt);
      await expect(artifacts.sizeOf(missing)).rejects.toMatchObject({ code: 'ARTIFACT_UNKNOWN' });
      for (const name of ['', '..', '../../etc/passwd', 'A'.repeat(64), `${missing}/x`]) {
        await expect(artifacts.pathOf(name)).rejects.toThrow('not a sha-256');
        await expect(all(artifacts.read(name))).rejects.toThrow('not a sha-256');
        await expect(artifacts.sizeOf(name)).rejects.toThrow('not a sha-256');
        await expect(artifacts.remove(name)).rejects.toThrow('not a sha-256');
      }
    });

    it('keeps nothing of a put that was too large or incomplete', async () => {
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield randomBytes(6 << 20);
        throw new RangeError('disconnected');
      }
      await expect(artifacts.put(broken(), 1 << 30)).rejects.toThrow('disconnected');
      await expect(artifacts.put(chunks(randomBytes(5501)), 5500)).rejects.toMatchObject({
        code: 'BODY_TOO_LARGE',
      });
      expect(await place.names()).toEqual([]);
    });

    it('lets a reader stop early', async () => {
      const { digest } = await artifacts.put(chunks(randomBytes(3_000_000)), 1 << 23);
      const other = await place.open();
      for await (const _ of other.read(digest)) break;
      expect((await all(other.read(digest))).byteLength).toBe(3_000_000);
      await other.close();
    });

    it('stores and reads the same artifact many times at once', async () => {
      const bytes = randomBytes(200_000);
      const puts = await Promise.all([1, 2, 3].map(() => artifacts.put(chunks(bytes), 1 << 20)));
      expect(new Set(puts.map((put) => put.digest))).toEqual(new Set([sha256(bytes)]));
      expect(await place.names()).toEqual([sha256(bytes)]);
      const other = await place.open();
      const paths = await Promise.all([1, 2, 3].map(() => other.pathOf(sha256(bytes))));
      expect(new Set(paths).size).toBe(1);
      await other.close();
    });

    it.skipIf(tinyDisk.skip)(
      `refuses what does not fit on the disk, and takes what fits ${tinyDisk.reason}`,
      async () => {
        using disk = mountTinyDisk('size=256k');
        const scratch = join(disk.folder, 'scratch');
        const small = await place.open(scratch);
        const parts = Array.from({ length: 10 }, () => randomBytes(64 * 1024));
        await expect(small.put(chunks(...parts), 1 << 30)).rejects.toMatchObject({
          code: 'STORAGE_FULL',
        });
        expect(await readdir(scratch)).toEqual([]);
        expect(await place.names()).toEqual([]);
        const { digest } = await small.put(chunks(...parts.slice(0, 3)), 1 << 30);
        expect(await all(small.read(digest))).toEqual(Buffer.concat(parts.slice(0, 3)));
        await small.close();
      },
    );
  },
);
