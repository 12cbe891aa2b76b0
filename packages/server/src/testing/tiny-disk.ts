/** A real file system of a few hundred kilobytes, for tests of what happens when the disk is full. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

/** Takes what is left of a disk, to the last page, into a file. */
export function fillDisk(path: string): void {
  for (const bytes of [65_536, 4096, 1]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(bytes), { flag: 'a' });
    } catch {
      // Full for pieces of this size.
    }
  }
}
