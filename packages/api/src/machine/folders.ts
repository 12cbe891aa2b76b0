/** Folders that may have to be made. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder and those above it. `mkdir` of Node with `recursive` never ends where a folder that
 * exists takes no others and answers ENOENT, as /proc does.
 *
 * @param mode of those that are made; default: what the umask leaves of 777.
 * @throws Error of the system.
 */
export async function makeFolders(path: string, mode = 0o777): Promise<void> {
  const absolute = resolve(path);
  try {
    return await makeOne(absolute, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const above = dirname(absolute);
    if (above === absolute) throw error;
    await makeFolders(above, mode);
    await makeOne(absolute, mode);
  }
}

async function makeOne(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
    const known = await stat(path).catch(() => undefined);
    if (known?.isDirectory() !== true) throw error;
  }
}
