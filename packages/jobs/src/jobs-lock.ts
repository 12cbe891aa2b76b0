/**
 * The lock of a folder that holds jobs or their artifacts: one plane at a time, be it of a node or
 * of a program. A store notifies only its own process of a change, so a second one on the same folder
 * would wait for the end of a job for ever, and would remove the uploads of the first.
 */
import { SkeinError } from '@skein/api';
import { makeFolders } from '@skein/api/folders';
import { folderError, type FolderLock, folderPath, lockFolder, nodeOn } from '@skein/state';

/** @throws SkeinError DATA_FOLDER_LOCKED, DATA_FOLDER_UNUSABLE. */
export async function lockJobs(path: string): Promise<FolderLock> {
  const folder = folderPath(path);
  let lock: FolderLock | undefined;
  try {
    await makeFolders(folder, 0o700);
    lock = lockFolder(folder, 'jobs.lock');
  } catch (error) {
    throw folderError(error, folder);
  }
  if (lock !== undefined) return lock;
  const note = await nodeOn(folder);
  // Without an address it is no node, or the one that asks.
  const holder =
    note?.url === undefined
      ? 'has been opened for jobs already, by this program or another one'
      : `is in use by the node with pid ${note.pid}, which answers at ${note.url}`;
  throw new SkeinError('DATA_FOLDER_LOCKED', `The folder ${folder} ${holder}.`);
}
