/**
 * Verified copies of remote artifacts on the local disk. Beyond the bound, the least recently used
 * copies are evicted. A copy that was requested within the last hour stays even beyond the bound:
 * its caller may be about to open or mount it.
 */
import { statfs } from 'node:fs/promises';
import type { ArtifactStore } from '../contract.ts';
import type { DiskSpace } from '../disk/disk-space.ts';
import { openFileArtifacts } from './file-artifacts.ts';

export interface ArtifactCache {
  /** The store without its bound and its order of use. */
  readonly files: Pick<ArtifactStore, 'put' | 'pathOf' | 'read'>;
  has(digest: string): Promise<boolean>;
  /** Whether this process has found or used a copy, and not removed it since. */
  tracks(digest: string): boolean;
  /** Records a use and evicts copies. */
  used(digest: string): Promise<void>;
  remove(digest: string): Promise<void>;
}

export interface CacheOptions {
  readonly folder: string;
  readonly space?: DiskSpace | undefined;
  /** Bound of all copies together, in bytes. Default: 10 GiB, and at most a third of the disk. */
  readonly maxBytes?: number | undefined;
}

interface Copy {
  readonly sizeBytes: number;
  readonly usedAt: number;
}

const LARGEST_BYTES = 10 * 2 ** 30;
/** How long a copy stays after its last use in any case: an hour, in milliseconds. */
const KEEP_MS = 3_600_000;
/** A node has two caches, of models and of jobs, and keeps a tenth of the disk free. */
const SHARE_OF_DISK = 1 / 3;

/** @throws SkeinError DATA_FOLDER_UNUSABLE. */
export async function openArtifactCache(options: CacheOptions): Promise<ArtifactCache> {
  const files = await openFileArtifacts(options.folder, { shared: true, space: options.space });
  const maxBytes = options.maxBytes ?? (await defaultBound(options.folder));
  /** Ordered by last use, oldest first. */
  const copies = new Map<string, Copy>();
  let totalBytes = 0;

  /** Undefined if another process has evicted it. */
  const sizeOf = (digest: string): Promise<number | undefined> =>
    files.sizeOf(digest).catch(() => undefined);

  function drop(digest: string): void {
    totalBytes -= copies.get(digest)?.sizeBytes ?? 0;
    copies.delete(digest);
  }
  function note(digest: string, copy: Copy): void {
    drop(digest);
    copies.set(digest, copy);
    totalBytes += copy.sizeBytes;
  }

  for (const digest of await files.list()) {
    const sizeBytes = await sizeOf(digest);
    // This process has not requested the copy yet.
    if (sizeBytes !== undefined) note(digest, { sizeBytes, usedAt: Number.NEGATIVE_INFINITY });
  }

  return {
    files,
    async has(digest) {
      if ((await sizeOf(digest)) !== undefined) return true;
      drop(digest);
      return false;
    },
    tracks: (digest) => copies.has(digest),
    async used(digest) {
      const sizeBytes = await sizeOf(digest);
      if (sizeBytes !== undefined) note(digest, { sizeBytes, usedAt: performance.now() });
      for (const [oldest, { usedAt }] of copies) {
        if (totalBytes <= maxBytes || performance.now() - usedAt < KEEP_MS) break;
        drop(oldest);
        await files.remove(oldest);
      }
    },
    async remove(digest) {
      drop(digest);
      await files.remove(digest);
    },
  };
}

async function defaultBound(folder: string): Promise<number> {
  const { blocks, bsize } = await statfs(folder);
  return Math.min(LARGEST_BYTES, Math.floor(blocks * bsize * SHARE_OF_DISK));
}
