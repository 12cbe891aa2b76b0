import { randomBytes } from 'node:crypto';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fillDisk, mountTinyDisk, tinyDisk } from '../testing/tiny-disk.ts';
import { openFileArtifacts } from '../artifacts/file-artifacts.ts';
import { openDataFolder } from './data-folder.ts';
import { withReserve } from './disk-reserve.ts';
import { createDiskSpace, defaultKeptFree } from './disk-space.ts';
import { openSqliteState } from '../sqlite/sqlite-state.ts';

const MIB = 2 ** 20;

it('keeps a gigabyte free, and of a small disk a tenth', () => {
  expect(defaultKeptFree(2 ** 40)).toBe(2 ** 30);
  expect(defaultKeptFree(10 * MIB)).toBe(MIB);
});

describe.skipIf(tinyDisk.skip)(`a disk that callers fill ${tinyDisk.reason}`, () => {
  it('has space left when artifacts are refused, and accepts them again when space is freed', async () => {
    using disk = mountTinyDisk('size=20m');
    const space = createDiskSpace({ folder: disk.folder, keptFreeBytes: 4 * MIB });
    const artifacts = await openFileArtifacts(join(disk.folder, 'blobs'), { space });
    const put = async (): Promise<string> =>
      (await artifacts.put(oneChunk(randomBytes(2 * MIB)), 2 * MIB)).digest;
    const stored: string[] = [];
    const refused = await (async () => {
      for (;;) stored.push(await put());
    })().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'STORAGE_FULL' });
    expect(stored.length).toBe(8);
    writeFileSync(join(disk.folder, 'own'), Buffer.alloc(3 * MIB));
    rmSync(join(disk.folder, 'own'));
    await artifacts.remove(stored[0]!);
    await expect.poll(put, { timeout: 5000 }).toMatch(/^[0-9a-f]{64}$/);
  });

  it('lets management change the state when not one byte is free, also after a restart', async () => {
    using disk = mountTinyDisk('size=16m');
    const path = join(disk.folder, '.skein');
    const key = {
      id: '0123456789ab',
      secretHash: '00',
      label: 'a',
      tenant: 't',
      scopes: ['infer'],
      createdAt: '2026-01-01T00:00:00.000Z',
    } as const;
    {
      const folder = await openDataFolder(path);
      const plain = await openSqliteState(folder.databasePath);
      const state = withReserve(plain, folder.reserve);
      await state.addKey(key);
      fillDisk(join(disk.folder, 'filler'));
      await expect(plain.revokeKey(key.id, key.createdAt)).rejects.toMatchObject({
        code: 'STORAGE_FULL',
      });
      expect(await state.revokeKey(key.id, key.createdAt)).toBe(true);
      await state.close();
      await folder.close();
    }
    rmSync(join(disk.folder, 'filler'));
    await (await openDataFolder(path)).close();
    expect(statSync(join(path, 'reserve')).size).toBe(MIB);
    fillDisk(join(disk.folder, 'filler'));
    const folder = await openDataFolder(path);
    const state = withReserve(await openSqliteState(folder.databasePath), folder.reserve);
    expect(await state.keys()).toMatchObject([{ id: key.id, revokedAt: key.createdAt }]);
    await state.close();
    await folder.close();
  });
});

async function* oneChunk(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
}
