/** Imports a composition's module in a separate thread to read its inputs, outputs and calls. */
import { SkeinError } from '@skein/api';
import { pathToFileURL } from 'node:url';
import type { CompositionDescription } from '../registry/registry.ts';
import { CompositionHost } from './composition-host.ts';

const LIMIT_MS = 30_000;

/**
 * @param path absolute path of the bundled module.
 * @throws SkeinError COMPOSITION_INVALID if the module cannot be imported within half a minute, or
 *   is not a composition.
 */
export async function describeComposition(path: string): Promise<CompositionDescription> {
  const host = new CompositionHost(pathToFileURL(path).href, { warm: false });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new SkeinError(
            'COMPOSITION_INVALID',
            `The module was not imported within ${LIMIT_MS / 1000} s.`,
          ),
        ),
      LIMIT_MS,
    );
  });
  try {
    return await Promise.race([host.ready, late]);
  } finally {
    clearTimeout(timer);
    await host.close();
  }
}
