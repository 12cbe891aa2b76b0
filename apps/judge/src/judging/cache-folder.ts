/** Where prepared things are kept from run to run; nothing is lost when they are deleted. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export function judgeCacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(base, 'skein-judge');
}

/** The packages that a worker has unpacked. */
export const packagesIn = (cacheFolder: string): string => join(cacheFolder, 'packages');
