/**
 * The environment of a worker thread. A compile cache that the process uses is handed on, which a
 * worker does not inherit by itself: it saves the stripping of types, two thirds of a start.
 */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';

export function workerEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...environment } = process.env;
  const cache = getCompileCacheDir();
  // The directory that is reported is the one for this version of Node, inside the one to be set.
  if (cache !== undefined) environment['NODE_COMPILE_CACHE'] = dirname(cache);
  return environment;
}
