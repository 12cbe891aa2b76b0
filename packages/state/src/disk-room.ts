/**
 * Keeps a part of the disk free of what callers send: artifacts, models and jobs are refused with
 * `STORAGE_FULL` while there is still room for the node's own state, so that an operator can revoke
 * a key, and running jobs can tell how they ended, on a disk that a caller has filled.
 *
 * The free space is asked for once per second, or once per 16 MiB taken. What other programs write
 * in between is seen at the next look.
 */
import { statfs } from 'node:fs/promises';
import { SkeinError } from '@skein/api/errors';

/** Enough for hours of state, logs and outcomes; a small disk gives a tenth. */
const KEPT_FREE_BYTES = 2 ** 30;
const LARGEST_SHARE = 1 / 10;
/** How much, and for how long, one look at the disk is good for. */
const LOOK_BYTES = 16 * 2 ** 20;
const LOOK_MS = 1000;

export interface DiskRoom {
  /** Counts bytes that are about to be written. @throws SkeinError STORAGE_FULL; nothing is counted then. */
  take(bytes: number): Promise<void>;
}

export interface DiskRoomOptions {
  /** On the disk in question; must exist. */
  readonly folder: string;
  /** What stays free. Default: 1 GiB, and at most a tenth of the disk. */
  readonly keptFreeBytes?: number | undefined;
}

export function createDiskRoom({ folder, keptFreeBytes }: DiskRoomOptions): DiskRoom {
  /** What may be taken until the next look. */
  let left = 0;
  let lookAgainAt = -Infinity;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const { bavail, blocks, bsize } = await statfs(folder);
    const kept = keptFreeBytes ?? defaultKeptFree(blocks * bsize);
    left = bavail * bsize - kept;
    lookAgainAt = performance.now() + LOOK_MS;
  }

  return {
    async take(bytes) {
      if (performance.now() >= lookAgainAt || bytes > Math.min(left, LOOK_BYTES)) {
        looking ??= look().finally(() => {
          looking = undefined;
        });
        await looking;
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
