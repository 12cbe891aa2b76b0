import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { fileStore } from './file-store.ts';

const folder = testFolder();

it('loads the last checkpoint and leaves no other file', async () => {
  const store = fileStore(join(folder, 'checkpoint'));
  expect(await store.load()).toBeUndefined();
  await store.save(Uint8Array.of(1));
  await store.save(Uint8Array.of(2, 3));
  expect([...(await store.load())!]).toEqual([2, 3]);
  expect(await readdir(folder)).toEqual(['checkpoint']);
});

it('removes the drafts of processes that were killed while they saved, and no other file', async () => {
  const names = ['checkpoint.1.draft', 'checkpoint.99999999.draft'];
  const others = ['checkpoint.best.draft', 'checkpoint.7', 'other.1.draft'];
  for (const name of [...names, ...others]) await writeFile(join(folder, name), 'half of it');
  await fileStore(join(folder, 'checkpoint')).load();
  expect((await readdir(folder)).sort()).toEqual(['checkpoint', ...others].sort());
});
