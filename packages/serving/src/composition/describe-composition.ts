/** Imports a composition's module in a separate thread to read its inputs, outputs and calls. */
import { SkeinError } from '@skein/api';
import { within } from '@skein/api/waits';
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
  const late = `The module was not imported within ${LIMIT_MS / 1000} s.`;
  try {
    return await within(host.ready, LIMIT_MS, () => {
      throw new SkeinError('COMPOSITION_INVALID', late);
    });
  } finally {
    await host.close();
  }
}
