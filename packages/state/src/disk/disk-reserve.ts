/**
 * Disk space that only management may use: a file that is emptied when a change of keys,
 * deployments or versions finds the disk full, and filled again once there is space.
 *
 * Other programs may take the space first. Callers of the node cannot, because `disk-space.ts`
 * refuses their writes long before.
 */
import { randomBytes } from 'node:crypto';
import { open, stat, statfs, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import type { State } from '../contract.ts';

/** Space for thousands of changes, including their part of the write-ahead log. */
const RESERVE_BYTES = 16 * 2 ** 20;
/** Fraction of a small disk. */
const LARGEST_SHARE = 1 / 16;
/** The reserve is created only if this many times its size is free. */
const FREE_FACTOR = 4;
const CHUNK_BYTES = 256 * 1024;
const REMAKE_MS = 60_000;

export interface DiskReserve {
  /** Empties the file. @returns whether that freed space. */
  release(): Promise<boolean>;
  close(): void;
}

/** Creates the reserve of a data folder when there is space, now or later. Never fails. */
export async function openDiskReserve(folder: string): Promise<DiskReserve> {
  const path = join(folder, 'reserve');
  await make(path, folder).catch(() => undefined);
  const timer = setInterval(() => void make(path, folder).catch(() => undefined), REMAKE_MS);
  timer.unref();
  return {
    async release() {
      const held = await stat(path).catch(() => undefined);
      if (held === undefined || held.size === 0) return false;
      await truncate(path, 0);
      return true;
    },
    close: () => clearInterval(timer),
  };
}

async function make(path: string, folder: string): Promise<void> {
  const { bavail, blocks, bsize } = await statfs(folder);
  const bytes = Math.min(RESERVE_BYTES, Math.floor(blocks * bsize * LARGEST_SHARE));
  const file = await open(path, 'a', 0o600);
  try {
    let { size } = await file.stat();
    if (bavail * bsize < FREE_FACTOR * (bytes - size)) return;
    // Random bytes use space on file systems that compress, too.
    const chunk = randomBytes(CHUNK_BYTES);
    while (size < bytes) {
      const part = chunk.subarray(0, Math.min(CHUNK_BYTES, bytes - size));
      size += (await file.write(part)).bytesWritten;
    }
  } finally {
    await file.close();
  }
}

/** Changes by the operator, and changes that only free space. All of them require `admin`. */
const MANAGEMENT = [
  'addKey',
  'revokeKey',
  'removeKeys',
  'putDeployment',
  'removeDeployment',
  'removeVersion',
  'removeRun',
] as const satisfies readonly (keyof State)[];

/** The same state; a management change that finds the disk full releases the reserve and is retried. */
export function withReserve(state: State, reserve: Pick<DiskReserve, 'release'>): State {
  const retried =
    (change: (...args: readonly unknown[]) => Promise<unknown>) =>
    async (...args: readonly unknown[]): Promise<unknown> => {
      try {
        return await change(...args);
      } catch (error) {
        const full = error instanceof SkeinError && error.code === 'STORAGE_FULL';
        if (!full || !(await reserve.release())) throw error;
        return change(...args);
      }
    };
  const changes = Object.fromEntries(
    MANAGEMENT.map((name) => [
      name,
      retried(state[name] as (...args: readonly unknown[]) => Promise<unknown>),
    ]),
  ) as Pick<State, (typeof MANAGEMENT)[number]>;
  return { ...state, ...changes };
}
