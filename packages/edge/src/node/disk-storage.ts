/** The storage of a device with a disk. A file is written under another name, made durable, and renamed. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import type { Storage } from '../update/storage.ts';

const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG'];
/** The folder of a device has its private key. */
const OWNER_ONLY = 0o600;
const MISSING = ['ENOENT', 'ENOTDIR'];

export function diskStorage(folder: string): Storage {
  return {
    async read(path) {
      try {
        return new Uint8Array(await readFile(join(folder, path)));
      } catch (error) {
        if (MISSING.includes(codeOf(error))) return undefined;
        throw error;
      }
    },
    write: (path, bytes) => writeDurably(join(folder, path), bytes, OWNER_ONLY),
    remove: (path) => rm(join(folder, path), { recursive: true, force: true }),
  };
}

/** @throws SkeinError STORAGE_FULL; then no part of the new file is left. */
export async function writeDurably(path: string, bytes: Uint8Array, mode = 0o666): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(partial, 'w', mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    const parent = await open(dirname(path), 'r');
    try {
      // The name is durable only with its folder.
      await parent.sync();
    } finally {
      await parent.close();
    }
  } catch (error) {
    await rm(partial, { force: true });
    if (!FULL.includes(codeOf(error))) throw error;
    throw new SkeinError('STORAGE_FULL', `There is no space left for ${path}.`, { cause: error });
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';
