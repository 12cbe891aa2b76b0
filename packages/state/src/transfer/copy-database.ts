/** A copy of a node's database as of one moment, while the node may write to it. */
import type { DatabaseSync } from 'node:sqlite';
import { makePrivateFile } from '../disk/private-files.ts';
import { SkeinError } from '@skein/api/errors';
import { sqlite } from '../sqlite/sqlite.ts';

/** @throws SkeinError STATE_CORRUPT. */
export async function copyDatabase(path: string, copy: string): Promise<void> {
  makePrivateFile(copy);
  let source: DatabaseSync | undefined;
  try {
    source = new sqlite.DatabaseSync(path, { readOnly: true });
    await sqlite.backup(source, copy);
  } catch (error) {
    throw new SkeinError('STATE_CORRUPT', `${path} cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  } finally {
    source?.close();
  }
}
