/** Files that the user names on the command line. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, resolve, sep } from 'node:path';
import { unreadable, unwritable } from '@skein/api/file-errors';
import { usageError } from './command-line/usage.ts';

/** Whether a path that `relative` gives leads out of its folder. A name may begin with two dots, such as those that Kubernetes mounts. */
export function isOutside(path: string): boolean {
  return path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path);
}

/** @throws SkeinError FILE_UNREADABLE, with the file and the reason. */
export async function readGivenFile(cwd: string, path: string): Promise<Buffer> {
  try {
    return await readFile(resolve(cwd, path));
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The same as UTF-8. */
export async function readGivenText(cwd: string, path: string): Promise<string> {
  return (await readGivenFile(cwd, path)).toString('utf8');
}

/** @returns the absolute path. @throws SkeinError FILE_UNREADABLE. */
export async function writeGivenFile(
  cwd: string,
  path: string,
  content: string | Uint8Array,
  mode?: number,
): Promise<string> {
  const absolute = resolve(cwd, path);
  try {
    await writeFile(absolute, content, { mode });
    return absolute;
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** A text given on the command line, in which `@FILE` stands for the content of the file. */
export async function givenText(cwd: string, given: string): Promise<string> {
  return given.startsWith('@') ? readGivenText(cwd, given.slice(1)) : given;
}

/** `@FILE`, or JSON itself. @param source the option, for the message. @throws SkeinError USAGE. */
export async function givenJson(cwd: string, given: string, source: string): Promise<unknown> {
  return parseGivenJson(await givenText(cwd, given), source);
}

/** @param parse of the text. @throws SkeinError USAGE, naming the source. */
export function parseGivenJson(
  text: string,
  source: string,
  parse: (text: string) => unknown = JSON.parse,
): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw usageError(`${source} is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
}

/** The absolute path of a regular file. @throws SkeinError FILE_UNREADABLE. */
export async function givenFile(
  cwd: string,
  path: string,
): Promise<{ path: string; sizeBytes: number }> {
  const absolute = resolve(cwd, path);
  try {
    const found = await stat(absolute);
    if (!found.isFile()) throw new Error('it is not a file');
    return { path: absolute, sizeBytes: found.size };
  } catch (error) {
    throw unreadable(path, error);
  }
}
