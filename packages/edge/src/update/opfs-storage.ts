/**
 * The storage of a page: the private files of its origin. A write goes to a copy, which replaces the file when it is
 * closed. Browsers may delete all of it where space is short; `navigator.storage.persist()` asks them not to.
 */
import { SkeinError } from '@skein/api/errors';
import type { Storage } from './storage.ts';

/** @param folder in the private files of the origin. */
export function opfsStorage(folder: string): Storage {
  async function folderOf(
    parts: readonly string[],
    create: boolean,
  ): Promise<FileSystemDirectoryHandle> {
    // From the top each time: the browser, or the user, may have deleted all of it meanwhile.
    let at = await navigator.storage.getDirectory();
    for (const part of [folder, ...parts]) at = await at.getDirectoryHandle(part, { create });
    return at;
  }
  const split = (path: string): [folders: string[], name: string] => {
    const parts = path.split('/');
    return [parts.slice(0, -1), parts.at(-1)!];
  };

  return {
    async read(path) {
      const [folders, name] = split(path);
      return orMissing(async () => {
        const file = await (await folderOf(folders, false)).getFileHandle(name);
        return new Uint8Array(await (await file.getFile()).arrayBuffer());
      });
    },

    async write(path, bytes) {
      const [folders, name] = split(path);
      try {
        const file = await (await folderOf(folders, true)).getFileHandle(name, { create: true });
        const writable = await file.createWritable();
        try {
          await writable.write(bytes);
          await writable.close();
        } catch (error) {
          await writable.abort().catch(() => undefined);
          throw error;
        }
      } catch (error) {
        if (!(await isFull(error, bytes.byteLength))) throw error;
        throw new SkeinError(
          'STORAGE_FULL',
          `There is no space left for ${path} in this browser.`,
          {
            cause: error,
          },
        );
      }
    },

    async remove(path) {
      const [folders, name] = split(path);
      await orMissing(async () =>
        (await folderOf(folders, false)).removeEntry(name, { recursive: true }),
      );
    },
  };
}

/** Chromium reports a spent quota as such, or as a write that it has aborted. */
async function isFull(error: unknown, bytes: number): Promise<boolean> {
  if ((error as Error).name === 'QuotaExceededError') return true;
  const { usage = 0, quota = Infinity } = await navigator.storage.estimate();
  return usage + bytes > quota;
}

async function orMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if ((error as Error).name === 'NotFoundError') return undefined;
    throw error;
  }
}
