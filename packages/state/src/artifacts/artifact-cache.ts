/**
 * Verified copies of remote artifacts on the local disk, the least recently used of which go when
 * there are too many. What was asked for within the last hour stays, even beyond the bound: it may
 * be about to be opened or mounted.
 */
import type { ArtifactStore } from '../contract.ts';
import type { DiskRoom } from '../disk-room.ts';
import { openFileArtifacts } from './file-artifacts.ts';

export interface ArtifactCache {
  /** Everything but the bound and the order. */
  readonly files: Pick<ArtifactStore, 'put' | 'pathOf' | 'read'>;
  has(digest: string): Promise<boolean>;
  /** Notes a use, and makes room. */
  used(digest: string): Promise<void>;
  forget(digest: string): Promise<void>;
}

export interface CacheOptions {
  readonly folder: string;
  readonly room?: DiskRoom | undefined;
  /** Bound of all copies together, in bytes. */
  readonly maxBytes: number;
  /** How long after its use a copy stays in any case, in milliseconds. Default: an hour. */
  readonly keepMs?: number;
  /** Milliseconds since any fixed point. */
  readonly now?: () => number;
}

interface Copy {
  readonly sizeBytes: number;
  readonly usedAt: number;
}

/** @throws SkeinError DATA_FOLDER_UNUSABLE. */
export async function openArtifactCache(options: CacheOptions): Promise<ArtifactCache> {
  const { keepMs = 3_600_000, now = () => performance.now() } = options;
  const files = await openFileArtifacts(options.folder, { shared: true, room: options.room });
  /** In the order of their last use, the oldest first. */
  const copies = new Map<string, Copy>();
  let totalBytes = 0;

  /** Undefined where another process has made room. */
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
    // Nobody in this process has asked for it yet.
    if (sizeBytes !== undefined) note(digest, { sizeBytes, usedAt: Number.NEGATIVE_INFINITY });
  }

  return {
    files,
    async has(digest) {
      if ((await sizeOf(digest)) !== undefined) return true;
      drop(digest);
      return false;
    },
    async used(digest) {
      const sizeBytes = await sizeOf(digest);
      if (sizeBytes !== undefined) note(digest, { sizeBytes, usedAt: now() });
      for (const [oldest, { usedAt }] of copies) {
        if (totalBytes <= options.maxBytes || now() - usedAt < keepMs) break;
        drop(oldest);
        await files.remove(oldest);
      }
    },
    async forget(digest) {
      drop(digest);
      await files.remove(digest);
    },
  };
}
