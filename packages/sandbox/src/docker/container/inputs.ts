/**
 * How mounts come into a container: small files are written into it, the rest is bound.
 *
 * A bind is fixed when a container starts, so a session with one cannot use a waiting container.
 * Inputs of jobs are mostly small, different for every job, and never changed. Written into a file
 * system of their own, which only process 1 can write, they look the same to the guest, and the
 * daemon needs no access to the files of this machine.
 */
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, normalize } from 'node:path/posix';
import { SkeinError } from '@skein/api';
import type { Mount } from '../../contract.ts';
import type { PutFile } from '../supervisor/file-stream.ts';

/** A mount of the host's own file or directory. */
export interface BoundMount extends Mount {
  /** The identity of the file: another file may take its name while a container waits. */
  readonly identity: string;
}

/**
 * The folder of written files; a mount elsewhere is bound, because the rest of the root is
 * read-only.
 */
export const INPUTS = '/inputs';
/** Bound of all written files together; a container has space for twice as much. */
const WRITTEN_BYTES = 4 * 1024 * 1024;
const WRITTEN_FILES = 256;
export const INPUTS_BYTES = 2 * WRITTEN_BYTES;

export interface Inputs {
  /** Below INPUTS. */
  readonly written: readonly PutFile[];
  readonly bound: readonly BoundMount[];
}

/**
 * @param local whether the daemon sees the files of this machine.
 * @throws SkeinError REQUEST_INVALID, SANDBOX_UNSUPPORTED.
 */
export async function readInputs(mounts: readonly Mount[], local: boolean): Promise<Inputs> {
  const written: PutFile[] = [];
  const bound: BoundMount[] = [];
  let left = WRITTEN_BYTES;
  for (const mount of mounts) {
    const { source, target } = mount;
    const file = await lookAt(mount);
    const fits = file.size <= left && written.length < WRITTEN_FILES;
    if (file.isFile && fits && target.startsWith(`${INPUTS}/`) && normalize(target) === target) {
      const content = await readFile(source);
      left -= content.length;
      written.push({
        path: target.slice(INPUTS.length + 1),
        content,
        executable: file.isExecutable,
      });
    } else if (local) {
      bound.push({ source, target, identity: file.identity });
    } else {
      throw new SkeinError(
        'SANDBOX_UNSUPPORTED',
        `The Docker daemon is on another machine, which does not have ${source}. Files of ${WRITTEN_BYTES} bytes together can be mounted below ${INPUTS}; put the others into the session.`,
      );
    }
  }
  return { written, bound };
}

async function lookAt({ source, target }: Mount): Promise<{
  readonly isFile: boolean;
  readonly isExecutable: boolean;
  readonly size: number;
  readonly identity: string;
}> {
  if (!isAbsolute(source) || !isAbsolute(target)) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `A mount needs absolute paths, not ${source} and ${target}.`,
    );
  }
  try {
    const found = await stat(source);
    return {
      isFile: found.isFile(),
      isExecutable: (found.mode & 0o111) !== 0,
      size: found.size,
      identity: `${found.dev}:${found.ino}`,
    };
  } catch (error) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `${source} cannot be mounted: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
