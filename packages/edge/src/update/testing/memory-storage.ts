/** A storage in memory that a test can cut off, fill or damage. */
import { SkeinError } from '@skein/api/errors';
import type { Bytes } from '../../trust/source.ts';
import type { Storage } from '../storage.ts';

export interface MemoryStorage extends Storage {
  readonly files: Map<string, Bytes>;
  /** Writes and removals so far. */
  changes: number;
  /** The change from which on each one fails: before it is made, after it is made, or for want of space. */
  fault: { readonly at: number; readonly kind: 'before' | 'after' | 'full' } | undefined;
}

export function memoryStorage(content: Iterable<readonly [string, Bytes]> = []): MemoryStorage {
  const files = new Map(Array.from(content, ([path, bytes]) => [path, bytes.slice()] as const));
  const change = (path: string, work: () => void): void => {
    const at = storage.changes++;
    const { fault } = storage;
    if (fault === undefined || at < fault.at) return work();
    if (fault.kind === 'full') throw new SkeinError('STORAGE_FULL', `No space for ${path}.`);
    if (fault.kind === 'after' && at === fault.at) work();
    throw new Error('the device lost its power');
  };
  const storage: MemoryStorage = {
    files,
    changes: 0,
    fault: undefined,
    read: async (path) => files.get(path)?.slice(),
    write: async (path, bytes) => change(path, () => files.set(path, bytes.slice())),
    remove: async (path) => {
      const remove = (): void => {
        for (const name of files.keys()) {
          if (name === path || name.startsWith(`${path}/`)) files.delete(name);
        }
      };
      // To remove takes no space.
      if (storage.fault?.kind === 'full') remove();
      else change(path, remove);
    },
  };
  return storage;
}

export const copyOf = ({ files }: MemoryStorage): MemoryStorage => memoryStorage(files);
