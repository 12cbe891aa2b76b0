/**
 * Imports of a user's own module: a pipeline, a task or the configuration of a training. It may lie in a
 * folder where nothing is installed; `@skein/…` and `zod`, with which such modules are written, are
 * then resolved from the importing package.
 */
import module from 'node:module';
import { pathToFileURL } from 'node:url';

const OURS = /^(@skein\/|zod(\/|$))/;

const prepared = new Set<string>();

/**
 * @param path absolute.
 * @param from `import.meta.url` of a module that finds the packages.
 * @throws what the module throws when it is imported.
 */
export async function importUserModule(
  path: string,
  from: string,
): Promise<Record<string, unknown>> {
  prepare(from);
  return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
}

/** Once for each place, and for the life of the thread: a task may import later, while it runs. */
function prepare(from: string): void {
  if (prepared.has(from)) return;
  prepared.add(from);
  module.registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        if (!OURS.test(specifier)) throw error;
        return next(specifier, { ...context, parentURL: from });
      }
    },
  });
}
