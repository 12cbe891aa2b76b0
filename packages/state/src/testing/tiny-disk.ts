/** A real file system of a few hundred kilobytes, for tests of a full disk. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Mounting needs root; without it the tests are skipped with the reason. */
export const tinyDisk: { skip: boolean; reason: string } =
  process.platform === 'linux' && process.getuid?.() === 0
    ? { skip: false, reason: '' }
    : { skip: true, reason: 'mounting a small tmpfs needs Linux and root' };

/** Mounts a tmpfs; disposing unmounts it. `options`: mount options, such as `size=256k` or `ro`. */
export function mountTinyDisk(options: string): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'skein-tiny-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'test-disk', folder]);
  if (mounted.status !== 0) throw new Error(`mount failed: ${mounted.stderr.toString()}`);
  return {
    folder,
    [Symbol.dispose]() {
      let unmounted = spawnSync('umount', [folder]);
      // A child of a node that has stopped may end a moment after it.
      for (let tries = 0; unmounted.status !== 0 && tries < 20; tries++) {
        spawnSync('sleep', ['0.1']);
        unmounted = spawnSync('umount', [folder]);
      }
      // A file that a failed test left open must not keep the mount.
      if (unmounted.status !== 0) spawnSync('umount', ['--lazy', folder]);
      rmdirSync(folder);
      if (unmounted.status !== 0) throw new Error(`umount failed: ${unmounted.stderr.toString()}`);
    },
  };
}

/** Fills the disk until no block is free, while a node may also write to it. */
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
