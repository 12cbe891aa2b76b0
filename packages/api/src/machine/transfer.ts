/** Files that travel as artifacts: to a node before a job, and from it after one. */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from '../client/client.ts';
import { SkeinError } from '../errors.ts';
import { unwritable } from '../file-errors.ts';
import { fileBlob } from './file-blob.ts';

/** A file of this machine that a job reads. */
export interface LocalFile {
  /** Where the job finds it: relative, with `/`. */
  readonly path: string;
  /** Absolute path on this machine. */
  readonly file: string;
  readonly sizeBytes: number;
}

/** An input of a job. */
export interface UploadedFile {
  readonly path: string;
  readonly digest: string;
}

interface Transfer {
  readonly signal: AbortSignal;
  /** Called before each file. */
  readonly onFile?: (file: LocalFile, index: number) => void;
}

/** Uploads the files that the node lacks. @throws SkeinError FILE_UNREADABLE. */
export async function uploadFiles(
  client: Client,
  files: readonly LocalFile[],
  { signal, onFile }: Transfer,
): Promise<readonly UploadedFile[]> {
  const uploaded: UploadedFile[] = [];
  for (const [index, each] of files.entries()) {
    onFile?.(each, index);
    const { path, file } = each;
    const digest = await digestOf(file);
    if (!(await isStored(client, digest, signal))) {
      const content = await fileBlob(file);
      const stored = await client.uploadArtifact({ content }, { signal });
      if (stored.digest !== digest) {
        throw new SkeinError('FILE_UNREADABLE', `${path} changed while it was uploaded.`);
      }
    }
    uploaded.push({ path, digest });
  }
  return uploaded;
}

/** Whether the node has an artifact. */
export async function isStored(
  client: Client,
  digest: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await client.getArtifact({ digest }, { signal });
    return true;
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'ARTIFACT_UNKNOWN') return false;
    throw error;
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/**
 * @throws SkeinError ARTIFACT_UNKNOWN, FILE_UNREADABLE, NODE_UNREACHABLE when the download breaks
 * off; no part of the file remains.
 */
export async function downloadArtifact(
  client: Client,
  digest: string,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const content = await client.downloadArtifact({ digest }, { signal });
  // Not derived from the file's own name, which may have the maximum length.
  const part = join(dirname(file), `.skein-${process.pid}-${randomBytes(6).toString('hex')}.part`);
  try {
    await pipeline(Readable.fromWeb(content as never), createWriteStream(part), { signal });
    await rename(part, file).catch((error: unknown) => {
      throw unwritable(file, error);
    });
  } catch (error) {
    await rm(part, { force: true });
    if (signal.aborted || error instanceof SkeinError) throw error;
    // An error of the disk has a code and a call; an error of the network does not.
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw unwritable(file, error);
    throw new SkeinError(
      'NODE_UNREACHABLE',
      `The artifact ${digest.slice(0, 12)} could not be fetched: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}
