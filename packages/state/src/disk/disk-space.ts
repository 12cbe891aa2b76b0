/**
 * Keeps a part of the disk free: artifacts, models and jobs are refused with `STORAGE_FULL` while
 * there is still space for the node's own state. On a disk that a caller has filled, an operator
 * can then still revoke a key, and running jobs can record their outcome.
 *
 * The free space is read once per second, and once per 16 MiB written. What other programs write in
 * between is noticed at the next read.
 */
import { statfs } from 'node:fs/promises';
import { SkeinError } from '@skein/api/errors';

/** Enough for hours of state, logs and outcomes; on a small disk, a tenth of it. */
const KEPT_FREE_BYTES = 2 ** 30;
const LARGEST_SHARE = 1 / 10;
/** How many bytes, and for how long, one reading of the free space may be used. */
const READING_BYTES = 16 * 2 ** 20;
const READING_MS = 1000;

export interface DiskSpace {
  /** Counts bytes that are about to be written. @throws SkeinError STORAGE_FULL; nothing is counted then. */
  take(bytes: number): Promise<void>;
}

export interface DiskSpaceOptions {
  /** A folder on the disk; must exist. */
  readonly folder: string;
  /** Bytes to keep free. Default: 1 GiB, and at most a tenth of the disk. */
  readonly keptFreeBytes?: number | undefined;
}

export function createDiskSpace({ folder, keptFreeBytes }: DiskSpaceOptions): DiskSpace {
  /** Bytes that may be written until the next reading. */
  let left = 0;
  let readAgainAt = -Infinity;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const { bavail, blocks, bsize } = await statfs(folder);
    const kept = keptFreeBytes ?? defaultKeptFree(blocks * bsize);
    left = bavail * bsize - kept;
    readAgainAt = performance.now() + READING_MS;
  }

  return {
    async take(bytes) {
      if (performance.now() >= readAgainAt || bytes > Math.min(left, READING_BYTES)) {
        reading ??= read().finally(() => {
          reading = undefined;
        });
        await reading;
      }
      if (bytes > left) {
        throw new SkeinError(
          'STORAGE_FULL',
          `The disk under ${folder} is nearly full, and the rest is kept for the node's own state.`,
        );
      }
      left -= bytes;
    },
  };
}

export function defaultKeptFree(diskBytes: number): number {
  return Math.min(KEPT_FREE_BYTES, Math.floor(diskBytes * LARGEST_SHARE));
}
