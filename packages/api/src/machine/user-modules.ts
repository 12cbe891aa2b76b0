/**
 * Imports of a user's own module: a pipeline, a task or the configuration of a training. It may lie in a
 * folder where nothing is installed; `@skein/…` and `zod`, with which such modules are written, are
 * then resolved from the importing package. Optional packages are also found in the user's folder.
 */
import module from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SkeinError } from '../errors.ts';

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

/**
 * Imports a package that a user adds to an installation of Skein: next to it, or in the working folder, where
 * `npx skein` finds nothing else.
 *
 * @param need the subject of the message, such as "Statements over tables".
 * @param from `import.meta.url` of the module that needs it.
 * @throws SkeinError PACKAGE_MISSING with the command that adds it.
 */
export async function importOptional<Module>(
  name: string,
  need: string,
  from: string,
): Promise<Module> {
  const folder = process.cwd();
  let cause: unknown;
  for (const parentURL of [from, pathToFileURL(join(folder, 'package.json')).href]) {
    const hooks = module.registerHooks({
      resolve: (specifier, context, next) =>
        next(specifier, specifier === name ? { ...context, parentURL } : context),
    });
    try {
      return (await import(name)) as Module;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
      cause = error;
    } finally {
      hooks.deregister();
    }
  }
  throw new SkeinError(
    'PACKAGE_MISSING',
    `${need} need the package ${name}, which is not installed here. \`npm install ${name}\` adds it to ${folder}.`,
    { cause },
  );
}
