/** The files of the worker's machine that a session sees read-only, as one archive on the way into its pod. */
import { createReadStream } from 'node:fs';
import { lstat, readdir, realpath } from 'node:fs/promises';
import { isAbsolute, normalize } from 'node:path/posix';
import { Readable } from 'node:stream';
import { SkeinError } from '@skein/api';
import { archiveEnd, headersOf, paddingOf } from '../../archive/write.ts';
import type { Mount } from '../../contract.ts';
import { INPUTS } from './manifests.ts';

interface InputFile {
  /** Relative to INPUTS. */
  readonly path: string;
  readonly source: string;
  readonly bytes: number;
  readonly executable: boolean;
}

export interface Inputs {
  readonly bytes: number;
  readonly files: number;
  archive(): Readable;
}

/** @returns undefined when there are none. @throws SkeinError REQUEST_INVALID, SANDBOX_UNSUPPORTED. */
export async function readInputs(mounts: readonly Mount[]): Promise<Inputs | undefined> {
  if (mounts.length === 0) return undefined;
  const files: InputFile[] = [];
  for (const { source, target } of mounts) {
    if (!isAbsolute(source)) throw invalid(`${source} is not an absolute path`);
    if (!target.startsWith(`${INPUTS}/`) || normalize(target) !== target) {
      throw new SkeinError(
        'SANDBOX_UNSUPPORTED',
        `The driver kubernetes shows files of this machine below ${INPUTS}, not at ${target}.`,
      );
    }
    try {
      await walk(await realpath(source), target.slice(INPUTS.length + 1), files);
    } catch (error) {
      throw invalid(`${source} cannot be read: ${(error as Error).message}`);
    }
  }
  return {
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    files: files.length,
    archive: () => Readable.from(archive(files), { objectMode: false }),
  };
}

/** Regular files only: a link could lead anywhere, and would mean something else in the pod. */
async function walk(source: string, path: string, into: InputFile[]): Promise<void> {
  const found = await lstat(source);
  if (found.isFile()) {
    into.push({ path, source, bytes: found.size, executable: (found.mode & 0o111) !== 0 });
  } else if (found.isDirectory()) {
    for (const name of (await readdir(source)).sort()) {
      await walk(`${source}/${name}`, `${path}/${name}`, into);
    }
  }
}

async function* archive(files: readonly InputFile[]): AsyncGenerator<Uint8Array> {
  const folders = new Set<string>();
  for (const { path, source, bytes, executable } of files) {
    yield headersOf({ path, bytes, executable }, folders);
    let left = bytes;
    // A file that grows meanwhile is cut, and one that shrinks is an error: the header has its size.
    if (bytes > 0) {
      for await (const chunk of createReadStream(source, { end: bytes - 1 })) {
        left -= (chunk as Buffer).length;
        yield chunk as Buffer;
      }
    }
    if (left !== 0) throw new Error(`${source} has changed while it was read`);
    yield paddingOf(bytes);
  }
  yield archiveEnd();
}

function invalid(why: string): SkeinError {
  return new SkeinError('REQUEST_INVALID', `The inputs cannot be mounted: ${why}.`);
}
