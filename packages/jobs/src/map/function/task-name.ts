/** The task of a function and its module, without the libraries that it imports. */
import { fileURLToPath } from 'node:url';

export const FUNCTION_TASK = 'skein-map-function';

/** Absolute path, which every worker has at its own place. */
export const FUNCTION_MODULE = fileURLToPath(new URL('./function-task.ts', import.meta.url));
