/** Downloads the outputs of a job. */
import { dirname, join, relative, resolve } from 'node:path';
import { makeFolders } from '@skein/api/folders';
import type { Client } from '@skein/api/client';
import { unwritable } from '@skein/api/file-errors';
import { downloadArtifact } from '@skein/api/files';
import { formatBytes } from '@skein/api/units';
import type { Context } from '../command-line/command.ts';
import { isOutside } from '../file.ts';

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
    if (isOutside(inside)) {
      throw unwritable(output.path, new Error('it lies outside the folder'));
    }
    context.notes.progress(`Fetching ${output.path} (${formatBytes(output.sizeBytes)})`);
    await makeFolders(dirname(file)).catch((error: unknown) => {
      throw unwritable(output.path, error);
    });
    await downloadArtifact(client, output.digest, file, context.signal);
    written.push(join(folder, inside));
  }
  context.notes.clear();
  return written;
}
