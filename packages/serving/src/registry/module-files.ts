/**
 * The digest of a composition: over its module and the local files that it imports, so that a
 * change of any of them makes another version. A module without imports has the digest of its file.
 */
import { createHash, hash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { SkeinError } from '@skein/api';

/** A module is code, not weights; a larger file is a mistake. */
const MAX_MODULE_BYTES = 16 * 1024 * 1024;

export interface ModuleDigest {
  /** sha-256, in hex. */
  readonly digest: string;
  /** Of all files. */
  readonly sizeBytes: number;
}

/**
 * @param path absolute path of the module.
 * @param imports the other files, as paths relative to the module's folder, in any order.
 * @throws SkeinError FILE_UNREADABLE, COMPOSITION_INVALID if a file is too large for a module.
 */
export async function digestOfModules(
  path: string,
  imports: readonly string[],
): Promise<ModuleDigest> {
  const own = await readModule(path);
  if (imports.length === 0) return { digest: hash('sha256', own), sizeBytes: own.byteLength };
  let sizeBytes = own.byteLength;
  const all = createHash('sha256').update(hash('sha256', own));
  for (const name of imports.toSorted()) {
    const bytes = await readModule(join(dirname(path), name));
    sizeBytes += bytes.byteLength;
    // Names and digests have line breaks in fixed places, so different sets give different texts.
    all.update(`\n${JSON.stringify(name)} ${hash('sha256', bytes)}`);
  }
  return { digest: all.digest('hex'), sizeBytes };
}

/** The other files of a module as `digestOfModules` takes them, with `/` on every system. */
export function importsOf(path: string, files: readonly string[]): string[] {
  const folder = dirname(path);
  const others = files.filter((file) => file !== path);
  return others.map((file) => relative(folder, file).replaceAll('\\', '/')).toSorted();
}

async function readModule(path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > MAX_MODULE_BYTES) {
      throw new SkeinError(
        'COMPOSITION_INVALID',
        `${path} has ${size} bytes, which is too large for a module.`,
      );
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof SkeinError) throw error;
    const reason = (error as Error).message;
    throw new SkeinError('FILE_UNREADABLE', `${path} cannot be read: ${reason}.`, { cause: error });
  }
}
