/**
 * Which files a composition is made of: its module, and whatever that imports by a relative path,
 * directly or through such files. Packages are not part of it: the lock file says which they are.
 *
 * The files are noted while the module is loaded, by the loader that resolves them, so that they are
 * exactly those that ran. What is imported later, or read as data, is not noticed.
 */
import { registerHooks } from 'node:module';

export interface LocalModules {
  /** File URLs, the module's own first. */
  readonly urls: ReadonlySet<string>;
  /** Ends the noting. */
  stop(): void;
}

/** Begins to note the modules of this thread. @param moduleUrl file URL of the first one. */
export function noteLocalModules(moduleUrl: string): LocalModules {
  const urls = new Set([moduleUrl]);
  const hooks = registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const isRelative = /^(\.{0,2}\/|file:)/.test(specifier);
      if (isRelative && context.parentURL !== undefined && urls.has(context.parentURL)) {
        urls.add(resolved.url);
      }
      return resolved;
    },
  });
  return { urls, stop: () => hooks.deregister() };
}
