/** A real file system of a few hundred kilobytes, for tests of what happens when the disk is full. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Mounting needs root; elsewhere the tests say why they are skipped. */
export const tinyDisk: { skip: boolean; reason: string } =
  process.platform === 'linux' && process.getuid?.() === 0
    ? { skip: false, reason: '' }
    : { skip: true, reason: 'mounting a small tmpfs needs Linux and root' };

/** Mounts a tmpfs; disposing unmounts it. `options`: mount options, such as `size=256k` or `ro`. */
export function mountTinyDisk(options: string): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'skein-tiny-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  if (mounted.status !== 0) throw new Error(`mount failed: ${mounted.stderr.toString()}`);
  return {
    folder,
    [Symbol.dispose]() {
      const unmounted = spawnSync('umount', [folder]);
      // A file that a failed test left open must not leave the mount behind as well.
      if (unmounted.status !== 0) spawnSync('umount', ['--lazy', folder]);
      rmdirSync(folder);
      if (unmounted.status !== 0) throw new Error(`umount failed: ${unmounted.stderr.toString()}`);
    },
  };
}

/** Writes into a file until not one block is free, beside a node that may take the last of them itself. */
export function fillDisk(file: string): void {
  const bytesFree = (): number => {
    const { bavail, bsize } = statfsSync(dirname(file));
    return bavail * bsize;
  };
  for (let free = bytesFree(); free > 0; free = bytesFree()) {
    try {
      writeFileSync(file, Buffer.alloc(Math.min(free, 2 ** 20)), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}
