/**
 * How a bundled composition is loaded. Its file is an artifact: named by its digest, without an
 * extension, in a folder that has no packages. Its imports are therefore resolved from Skein, and
 * else in the working directory of the node.
 */
import { readFileSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Prepares this thread for a module, if it is an artifact. @param moduleUrl a file URL. */
export function prepareForBundle(moduleUrl: string): void {
  if (extname(fileURLToPath(moduleUrl)) !== '') return;
  const places = [import.meta.url, pathToFileURL(join(process.cwd(), 'composition')).href];
  module.registerHooks({
    resolve(specifier, context, next) {
      if (context.parentURL !== moduleUrl) return next(specifier, context);
      for (const parentURL of places) {
        try {
          return next(specifier, { ...context, parentURL });
        } catch {
          // The next place may have it.
        }
      }
      throw new Error(
        `"${specifier}" is installed neither with Skein nor in ${process.cwd()} on this node`,
      );
    },
    load(url, context, next) {
      if (url !== moduleUrl) return next(url, context);
      return { format: 'module', source: readFileSync(new URL(url)), shortCircuit: true };
    },
  });
  // CommonJS packages in the bundle require these: built-in modules, and packages that stayed outside.
  Object.assign(globalThis, { require: createRequire(import.meta.url) });
  process.setSourceMapsEnabled(true);
}
