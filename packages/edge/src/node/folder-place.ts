/** A folder as the place of a publisher, and as a source for devices on the same machine. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import type { Place } from '../trust/publish.ts';
import { tooLong } from '../trust/source.ts';
import { writeDurably } from './disk-storage.ts';

export function folderPlace(folder: string): Place {
  return {
    place: folder,
    async read(path, maxBytes) {
      try {
        const file = await open(join(folder, path), 'r');
        try {
          if ((await file.stat()).size > maxBytes) throw tooLong(join(folder, path), maxBytes);
          return new Uint8Array(await file.readFile());
        } finally {
          await file.close();
        }
      } catch (error) {
        if (error instanceof SkeinError) throw error;
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
        throw new SkeinError('EDGE_UNREACHABLE', `${folder} cannot be read: ${message}.`, {
          cause: error,
        });
      }
    },
    write: (path, bytes) => writeDurably(join(folder, path), bytes),
  };
}
