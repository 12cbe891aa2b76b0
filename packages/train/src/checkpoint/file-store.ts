/**
 * A checkpoint in a file, replaced atomically: a kill at any moment leaves the old one or the new
 * one.
 */
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { CheckpointStore } from './checkpoint.ts';

/**
 * @param path of the file; its folder must exist.
 * @param mode permissions of the file, less those that the process never gives.
 */
export function fileStore(path: string, mode = 0o666): CheckpointStore {
  return {
    async save(bytes) {
      const draft = `${path}.${process.pid}.draft`;
      try {
        const file = await open(draft, 'w', mode);
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(draft, path);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
      await syncFolder(dirname(path));
    },
    async load() {
      await removeDrafts(path);
      try {
        return await readFile(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
  };
}

/**
 * Removes drafts that a killed process left while it saved. A process that saves now writes a draft
 * of its own. The caller must not load while another process saves; the lock of a run ensures that.
 */
async function removeDrafts(path: string): Promise<void> {
  const names = await readdir(dirname(path)).catch(() => []);
  const [start, own] = [`${basename(path)}.`, `${basename(path)}.${process.pid}.draft`];
  const left = names.filter(
    (name) =>
      name.startsWith(start) && /^\d+\.draft$/.test(name.slice(start.length)) && name !== own,
  );
  await Promise.all(left.map((name) => rm(join(dirname(path), name), { force: true })));
}

/** The new name is durable only after its folder is synced. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
