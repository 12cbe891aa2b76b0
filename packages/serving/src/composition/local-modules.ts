/**
 * The local files of a composition: its module and every file that it imports by a relative path,
 * directly or indirectly. Packages are not included: the lock file pins them.
 *
 * The loader records the files that it resolves while the module is loaded, so they are exactly the
 * files that ran. Later imports, and files read as data, are not recorded.
 */
import { registerHooks } from 'node:module';

export interface LocalModules {
  /** File URLs, beginning with the module's own. */
  readonly urls: ReadonlySet<string>;
  /** Ends the recording. */
  stop(): void;
}

/** Begins to record the modules of this thread. @param moduleUrl file URL of the first one. */
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
