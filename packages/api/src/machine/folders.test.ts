import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { makeFolders } from './folders.ts';

const folder = testFolder();

it('makes the folders above too, with the mode, and takes those that are there', async () => {
  const path = join(folder, 'a/b/c');
  await Promise.all([makeFolders(path, 0o700), makeFolders(join(folder, 'a/b/d'), 0o700)]);
  await makeFolders(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700);
  symlinkSync('a', join(folder, 'link'));
  await makeFolders(join(folder, 'link/e'));
  expect(statSync(join(folder, 'a/e')).isDirectory()).toBe(true);
});

it('ends with an error where no folder can be made', async () => {
  writeFileSync(join(folder, 'file'), '');
  symlinkSync('nowhere', join(folder, 'dangling'));
  await expect(makeFolders(join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makeFolders(join(folder, 'file/x'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  await expect(makeFolders(join(folder, 'dangling'))).rejects.toMatchObject({ code: 'EEXIST' });
  // An existing folder that answers ENOENT for every name.
  await expect(makeFolders('/proc/none/deeper')).rejects.toMatchObject({ code: 'ENOENT' });
});
