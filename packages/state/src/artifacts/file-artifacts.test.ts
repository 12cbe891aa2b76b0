import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmod,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { mountTinyDisk, tinyDisk } from '../testing/tiny-disk.ts';
import type { ArtifactStore } from '../contract.ts';
import { openFileArtifacts } from './file-artifacts.ts';

let folder: string;
let artifacts: ArtifactStore;
beforeEach(async () => {
  folder = testFolder();
  artifacts = await openFileArtifacts(folder);
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}
const corrupt = { code: 'ARTIFACT_CORRUPT' };

describe('artifacts as files', () => {
  it('stores any stream under the sha-256 of its bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
        async (parts) => {
          const whole = Buffer.concat(parts);
          const put = await artifacts.put(chunks(...parts), 1 << 20);
          expect(put).toEqual({ digest: sha256(whole), sizeBytes: whole.byteLength });
          expect(await readFile(await artifacts.pathOf(put.digest))).toEqual(whole);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('shows an artifact only when it is complete', async () => {
    let halfway: string[] = [];
    async function* watched(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(70_000);
      // The second chunk is requested once the first has been written.
      halfway = await readdir(folder);
      yield new Uint8Array(10);
    }
    const { digest } = await artifacts.put(watched(), 1 << 20);
    expect(halfway).toEqual([expect.stringMatching(/^\.incoming-/)]);
    expect(await readdir(folder)).toEqual([digest]);
  });

  it('refuses more bytes than allowed, and stops reading', async () => {
    let taken = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        taken += 1;
        yield new Uint8Array(1000);
      }
    }
    await expect(artifacts.put(endless(), 5500)).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
    expect(taken).toBe(6);
    expect(await readdir(folder)).toEqual([]);
    expect((await artifacts.put(chunks(new Uint8Array(5500)), 5500)).sizeBytes).toBe(5500);
  });

  it('leaves nothing behind when the source breaks', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1000);
      throw new RangeError('disconnected');
    }
    await expect(artifacts.put(broken(), 5000)).rejects.toThrow('disconnected');
    expect(await readdir(folder)).toEqual([]);
  });

  it('removes unfinished files of an earlier process, and nothing else', async () => {
    const { digest } = await artifacts.put(chunks(randomBytes(10)), 100);
    await writeFile(join(folder, '.incoming-0123'), 'half');
    await openFileArtifacts(folder);
    expect(await readdir(folder)).toEqual([digest]);
  });

  it('stores the same artifact twice at once', async () => {
    const bytes = randomBytes(200_000);
    const puts = await Promise.all([1, 2, 3].map(() => artifacts.put(chunks(bytes), 1 << 20)));
    expect(new Set(puts.map((put) => put.digest))).toEqual(new Set([sha256(bytes)]));
    expect(await readdir(folder)).toEqual([sha256(bytes)]);
  });

  it('refuses an artifact that has changed, was removed, or never existed', async () => {
    const bytes = randomBytes(5000);
    const { digest } = await artifacts.put(chunks(bytes), 1 << 20);
    const path = await artifacts.pathOf(digest);
    await chmod(path, 0o600);
    await writeFile(path, bytes.subarray(0, 4999));
    await expect(artifacts.pathOf(digest)).rejects.toMatchObject(corrupt);
    await rm(path);
    await expect(artifacts.pathOf(digest)).rejects.toMatchObject(corrupt);
    await expect(artifacts.pathOf('0'.repeat(64))).rejects.toMatchObject(corrupt);
    await mkdir(path);
    await expect(artifacts.pathOf(digest)).rejects.toMatchObject(corrupt);
  });

  it('detects a change that kept size and modification time', async () => {
    const bytes = randomBytes(5000);
    const { digest } = await artifacts.put(chunks(bytes), 1 << 20);
    // A time that `utimes` can restore to the nanosecond.
    await utimes(join(folder, digest), 1_000_000_000, 1_000_000_000);
    const path = await artifacts.pathOf(digest);
    bytes[77] = (bytes[77] ?? 0) ^ 1;
    await chmod(path, 0o600);
    await writeFile(path, bytes);
    await utimes(path, 1_000_000_000, 1_000_000_000);
    await expect(artifacts.pathOf(digest)).rejects.toMatchObject(corrupt);
  });

  it('repairs a damaged artifact when it is put again', async () => {
    const bytes = randomBytes(5000);
    const { digest } = await artifacts.put(chunks(bytes), 1 << 20);
    await rm(join(folder, digest));
    await writeFile(join(folder, digest), 'damaged');
    await artifacts.put(chunks(bytes), 1 << 20);
    expect(await readFile(await artifacts.pathOf(digest))).toEqual(bytes);
  });

  it('checks an artifact that an earlier process stored', async () => {
    const bytes = randomBytes(3_000_000);
    const { digest } = await artifacts.put(chunks(bytes), 1 << 23);
    const later = await openFileArtifacts(folder);
    expect(bytes.equals(await readFile(await later.pathOf(digest)))).toBe(true);
  });

  it('never follows a link, even to the right content', async () => {
    const bytes = randomBytes(10);
    const { digest } = await artifacts.put(chunks(bytes), 100);
    await rm(join(folder, digest));
    const elsewhere = testFolder();
    await writeFile(join(elsewhere, 'file'), bytes);
    await symlink(join(elsewhere, 'file'), join(folder, digest));
    await expect(artifacts.pathOf(digest)).rejects.toMatchObject(corrupt);
    await artifacts.put(chunks(bytes), 100);
    expect((await stat(join(elsewhere, 'file'))).size).toBe(10);
    expect(await artifacts.pathOf(digest)).toBe(join(folder, digest));
  });

  it.each(['', '..', '../../etc/passwd', 'A'.repeat(64), `${'0'.repeat(64)}/x`])(
    'takes only a digest as a name, not "%s"',
    async (name) => {
      await expect(artifacts.pathOf(name)).rejects.toThrow('not a sha-256');
      await expect(artifacts.remove(name)).rejects.toThrow('not a sha-256');
    },
  );

  it('removes an artifact; a second removal is not an error', async () => {
    const { digest } = await artifacts.put(chunks(randomBytes(10)), 100);
    await artifacts.remove(digest);
    await artifacts.remove(digest);
    await expect(artifacts.pathOf(digest)).rejects.toMatchObject(corrupt);
  });

  it('reports a folder that cannot be created', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(openFileArtifacts(join(folder, 'file', 'artifacts'))).rejects.toMatchObject({
      code: 'DATA_FOLDER_UNUSABLE',
    });
  });
});

const unreachable = { code: 'STORE_UNREACHABLE' };

/** Each request of a folder that is away fails with that reason, and none makes another folder in its place. */
async function expectAway(store: ArtifactStore, digest: string): Promise<void> {
  const read = async (range?: { start: number; end: number }): Promise<void> => {
    for await (const _ of store.read(digest, range));
  };
  await expect(store.put(chunks(Buffer.from('more')), 100)).rejects.toMatchObject(unreachable);
  await expect(store.sizeOf(digest)).rejects.toMatchObject(unreachable);
  await expect(store.pathOf(digest)).rejects.toMatchObject(unreachable);
  await expect(read()).rejects.toMatchObject(unreachable);
  await expect(read({ start: 0, end: 1 })).rejects.toMatchObject(unreachable);
  await expect(store.remove(digest)).rejects.toMatchObject(unreachable);
  await expect(store.list()).rejects.toMatchObject(unreachable);
}

it('a folder that is away for a while is no missing artifact, and is used again when it is back', async () => {
  const shared = join(folder, 'shared');
  const store = await openFileArtifacts(shared, { shared: true, mayBeAway: true });
  const { digest } = await store.put(chunks(Buffer.from('kept')), 100);
  await rename(shared, join(folder, 'elsewhere'));
  await expectAway(store, digest);
  await rename(join(folder, 'elsewhere'), shared);
  expect(await store.sizeOf(digest)).toBe(4);
  expect(await readFile(await store.pathOf(digest), 'utf8')).toBe('kept');
  await expect(store.sizeOf('0'.repeat(64))).rejects.toMatchObject({ code: 'ARTIFACT_UNKNOWN' });
  await expect(store.pathOf('0'.repeat(64))).rejects.toMatchObject(corrupt);
});

it("a file that is being written is not removed by a process whose clock is ahead of the folder's", async () => {
  const shared = join(folder, 'shared');
  const store = await openFileArtifacts(shared, { shared: true });
  const { promise: rest, resolve: sendRest } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('a part, ');
    begin();
    await rest;
    yield Buffer.from('and the rest');
  }
  const writing = store.put(slow(), 100);
  await begun;
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
  onTestFinished(() => void vi.useRealTimers());
  await openFileArtifacts(shared, { shared: true });
  sendRest();
  const { digest } = await writing;
  expect(await readdir(shared)).toEqual([digest]);
});

it('a file that a killed process has left is removed', async () => {
  const shared = join(folder, 'shared');
  await mkdir(shared);
  for (const [name, minutes] of [
    ['.incoming-old', 20],
    ['.incoming-new', 10],
  ] as const) {
    await writeFile(join(shared, name), 'a part');
    const at = Date.now() / 1000 - minutes * 60;
    await utimes(join(shared, name), at, at);
  }
  await openFileArtifacts(shared, { shared: true });
  expect(await readdir(shared)).toEqual(['.incoming-new']);
});

it('what is wrong with the content of an artifact stays so', async () => {
  const store = await openFileArtifacts(join(folder, 'shared'), { mayBeAway: true });
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('a part');
    throw new Error('The sender has left.');
  }
  await expect(store.put(broken(), 100)).rejects.toThrow('The sender has left.');
  await expect(store.put(chunks(Buffer.from('long')), 1)).rejects.toMatchObject({
    code: 'BODY_TOO_LARGE',
  });
});

describe.skipIf(tinyDisk.skip)(`artifacts on another disk ${tinyDisk.reason}`, () => {
  it('deny what would write while it is read-only, and are read', async () => {
    using disk = mountTinyDisk('size=256k');
    const store = await openFileArtifacts(disk.folder, { shared: true, mayBeAway: true });
    const { digest } = await store.put(chunks(Buffer.from('kept')), 100);
    const remount = (how: string) =>
      spawnSync('mount', ['-o', `remount,${how}`, disk.folder]).status;
    expect(remount('ro')).toBe(0);
    const denied = { code: 'STORE_DENIED', message: expect.stringContaining('EROFS') as string };
    await expect(store.put(chunks(Buffer.from('more')), 100)).rejects.toMatchObject(denied);
    await expect(store.remove(digest)).rejects.toMatchObject(denied);
    expect(await readFile(await store.pathOf(digest), 'utf8')).toBe('kept');
    expect(remount('rw')).toBe(0);
    await store.put(chunks(Buffer.from('more')), 100);
  });

  it('are away again where it was mounted only after they were opened', async () => {
    using place = mountTinyDisk('size=256k');
    const disk = join(place.folder, 'shared');
    const store = await openFileArtifacts(disk, { shared: true, mayBeAway: true });
    const mount = (...words: string[]) => spawnSync(words[0]!, words.slice(1)).status;
    expect(mount('mount', '-t', 'tmpfs', 'test-disk', disk)).toBe(0);
    const { digest } = await store.put(chunks(Buffer.from('kept')), 100);
    expect(mount('umount', disk)).toBe(0);
    await expectAway(store, digest);
    expect(await readdir(disk)).toEqual([]);
  });

  it('are away while it is not mounted, and nothing is put in its place', async () => {
    using place = mountTinyDisk('size=256k');
    const disk = join(place.folder, 'disk');
    await mkdir(disk);
    const mount = (...words: string[]) => spawnSync(words[0]!, words.slice(1)).status;
    expect(mount('mount', '-t', 'tmpfs', 'test-disk', disk)).toBe(0);
    const store = await openFileArtifacts(disk, { shared: true, mayBeAway: true });
    const { digest } = await store.put(chunks(Buffer.from('kept')), 100);
    expect(mount('umount', disk)).toBe(0);
    await expectAway(store, digest);
    expect(await readdir(disk)).toEqual([]);
    expect(mount('mount', '-t', 'tmpfs', 'test-disk', disk)).toBe(0);
    await expect(store.sizeOf(digest)).rejects.toMatchObject({ code: 'ARTIFACT_UNKNOWN' });
    expect(await store.put(chunks(Buffer.from('kept')), 100)).toMatchObject({ digest });
    expect(mount('umount', disk)).toBe(0);
  });
});

describe.skipIf(tinyDisk.skip)(`artifacts on a full disk ${tinyDisk.reason}`, () => {
  it('refuses an artifact that does not fit, leaves nothing of it, and stores one that fits', async () => {
    using disk = mountTinyDisk('size=256k');
    const store = await openFileArtifacts(join(disk.folder, 'artifacts'));
    const parts = Array.from({ length: 10 }, () => randomBytes(64 * 1024));
    await expect(store.put(chunks(...parts), 1 << 30)).rejects.toMatchObject({
      code: 'STORAGE_FULL',
    });
    expect(await readdir(join(disk.folder, 'artifacts'))).toEqual([]);
    const { digest } = await store.put(chunks(...parts.slice(0, 3)), 1 << 30);
    expect(await readFile(await store.pathOf(digest))).toEqual(Buffer.concat(parts.slice(0, 3)));
  });
});
