/** Downloads the outputs of a job. */
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { formatBytes } from '@skein/api/units';
import type { Context } from '../command.ts';
import { unwritable } from '@skein/api/file-errors';

export interface Output {
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** Writes each output at its path below the folder; a file appears whole or not at all. */
export async function downloadOutputs(
  context: Context,
  client: Client,
  outputs: readonly Output[],
  folder: string,
): Promise<readonly string[]> {
  const written: string[] = [];
  for (const output of outputs) {
    const file = resolve(folder, output.path);
    const inside = relative(folder, file);
    if (inside.startsWith('..') || isAbsolute(inside)) {
      throw unwritable(output.path, new Error('it lies outside the folder'));
    }
    context.notes.progress(`Fetching ${output.path} (${formatBytes(output.sizeBytes)})`);
    await mkdir(dirname(file), { recursive: true }).catch((error: unknown) => {
      throw unwritable(output.path, error);
    });
    await downloadArtifact(client, output.digest, file, context.signal);
    written.push(join(folder, inside));
  }
  context.notes.clear();
  return written;
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
