/** A place in memory, which a test can change as an attacker would. */
import { SkeinError } from '@skein/api/errors';
import type { Place } from '../publish.ts';
import { tooLong, type Bytes } from '../source.ts';

export interface MemoryPlace extends Place {
  readonly files: Map<string, Bytes>;
  /** A copy as it is now. */
  copy(): MemoryPlace;
}

export function memoryPlace(content: Iterable<readonly [string, Bytes]> = []): MemoryPlace {
  const files = new Map(content);
  return {
    place: 'memory',
    files,
    async read(path, maxBytes) {
      const bytes = files.get(path);
      if (bytes !== undefined && bytes.byteLength > maxBytes) throw tooLong(path, maxBytes);
      return bytes;
    },
    write: async (path, bytes) => void files.set(path, bytes),
    copy: () => memoryPlace(files),
  };
}

/** A place that cannot be reached. */
export const unreachable: Place = {
  place: 'nowhere',
  read: async (path) => {
    throw new SkeinError('EDGE_UNREACHABLE', `${path} cannot be read.`);
  },
  write: async () => undefined,
};
