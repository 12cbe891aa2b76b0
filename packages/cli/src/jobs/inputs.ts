/**
 * Inputs of a command: files and folders of this machine, uploaded as artifacts under the paths
 * that the command uses.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { uploadFiles, type LocalFile, type UploadedFile } from '@skein/api/files';
import { formatBytes } from '@skein/api/units';
import type { Context } from '../command-line/command.ts';
import { isOutside } from '../file.ts';
import { nameText } from '../output/terminal.ts';
import { usageError } from '../command-line/usage.ts';

/** Largest number of files of one job. */
const MAX_FILES = 10_000;

/**
 * The named files, and with `guess` those words of the command line that name a file below the
 * working directory: `python3 clean.py data.csv` uploads both of its files. Outputs are not
 * uploaded, even if they exist from a previous run.
 */
export async function findInputs(
  { cwd, notes }: Pick<Context, 'cwd' | 'notes'>,
  named: readonly string[],
  argv: readonly string[],
  guess: { readonly without: readonly string[] } | false,
): Promise<readonly LocalFile[]> {
  const found = new Map<string, LocalFile>();
  for (const name of named) {
    const { files, skipped } = await filesAt(cwd, name);
    for (const file of files) found.set(file.path, file);
    for (const path of skipped) {
      notes.line(
        `Not taken along: ${nameText(path)}, neither a file nor a link to one below the working directory`,
      );
    }
  }
  const outputs = new Set(guess === false ? [] : guess.without.map((name) => pathBelow(cwd, name)));
  for (const word of guess === false ? [] : argv) {
    const path = pathBelow(cwd, word);
    if (path === undefined || isAbsolute(word) || found.has(path) || outputs.has(path)) continue;
    const file = join(cwd, path);
    const info = await stat(file).catch(() => undefined);
    if (info?.isFile() === true) found.set(path, { path, file, sizeBytes: info.size });
  }
  if (found.size > MAX_FILES) {
    throw usageError(`${found.size} files are more than one job can take; pack them first.`);
  }
  return [...found.values()];
}

/** Uploads the files that the node lacks, and names them. */
export async function uploadInputs(
  { notes, signal }: Context,
  client: Client,
  files: readonly LocalFile[],
): Promise<readonly UploadedFile[]> {
  const uploaded = await uploadFiles(client, files, {
    signal,
    onFile: ({ path, sizeBytes }, index) =>
      notes.progress(
        `Uploading ${path} (${formatBytes(sizeBytes)}, ${index + 1} of ${files.length})`,
      ),
  });
  notes.clear();
  return uploaded;
}

/**
 * A file, or all files of a folder. A link in it to a file is taken as the file, unless that lies
 * elsewhere: a folder from another source could have links to any file of this user.
 */
async function filesAt(
  cwd: string,
  name: string,
): Promise<{ files: LocalFile[]; skipped: string[] }> {
  const path = pathBelow(cwd, name);
  if (path === undefined) {
    throw usageError(`--input ${name}: it must lie below the working directory.`);
  }
  const file = join(cwd, path);
  const info = await stat(file).catch(() => undefined);
  if (info === undefined) throw new SkeinError('FILE_UNREADABLE', `There is no file ${name}.`);
  if (info.isFile()) return { files: [{ path, file, sizeBytes: info.size }], skipped: [] };
  if (!info.isDirectory()) return { files: [], skipped: [path] };
  const root = await realpath(cwd);
  const files: LocalFile[] = [];
  const skipped: string[] = [];
  for (const entry of await readdir(file, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const full = join(entry.parentPath, entry.name);
    const inside = slashed(relative(cwd, full));
    const target = await stat(full).catch(() => undefined);
    const isBelow = !isOutside(relative(root, await realpath(full).catch(() => sep)));
    if (target?.isFile() !== true || !isBelow) skipped.push(inside);
    else files.push({ path: inside, file: full, sizeBytes: target.size });
  }
  return { files, skipped };
}

/** @returns absent when it is not below the directory. */
function pathBelow(cwd: string, name: string): string | undefined {
  const path = relative(cwd, resolve(cwd, name));
  if (path === '' || isOutside(path)) return undefined;
  return slashed(path);
}

function slashed(path: string): string {
  return path.split(sep).join('/');
}
