/**
 * Compositions that were recorded before they became artifacts: by the path of their module on this
 * machine, with a digest over the module and the files that it imports. They are loaded as long as
 * these files are unchanged.
 */
import { createHash, hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api';
import type { VersionRecord } from '@skein/state';

/**
 * @returns the path, when the version's files are there.
 * @throws SkeinError FILE_UNREADABLE, COMPOSITION_INVALID.
 */
export async function pathOfModule(
  { model, version, digest, metadata }: VersionRecord,
  path: string,
): Promise<string> {
  const imports = readJson(metadata['imports'] ?? '[]', JSON_BOUNDS.stored) as string[];
  if ((await digestOfModules(path, imports)) === digest) return path;
  throw new SkeinError(
    'COMPOSITION_INVALID',
    `${[path, ...imports].join(' or ')} has changed since it became version ${version} of "${model}". Deploy it again as a new version.`,
  );
}

async function digestOfModules(path: string, imports: readonly string[]): Promise<string> {
  const own = hash('sha256', await readModule(path));
  if (imports.length === 0) return own;
  const all = createHash('sha256').update(own);
  for (const name of imports.toSorted()) {
    const bytes = await readModule(join(dirname(path), name));
    // Names and digests have line breaks in fixed places, so different sets give different texts.
    all.update(`\n${JSON.stringify(name)} ${hash('sha256', bytes)}`);
  }
  return all.digest('hex');
}

async function readModule(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = (error as Error).message;
    throw new SkeinError('FILE_UNREADABLE', `${path} cannot be read: ${reason}.`, { cause: error });
  }
}
