/** Imports a composition's module in a separate thread to read its inputs, outputs and calls. */
import { SkeinError } from '@skein/api';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { CompositionDescription } from '../registry/registry.ts';
import { CompositionHost } from './composition-host.ts';

const LIMIT_MS = 30_000;

/**
 * @param modulePath absolute path on this machine.
 * @throws SkeinError COMPOSITION_INVALID if the module cannot be imported within half a minute, or
 *   is not a composition.
 */
export async function describeComposition(modulePath: string): Promise<CompositionDescription> {
  const host = new CompositionHost(pathToFileURL(modulePath).href, { warm: false });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new SkeinError(
            'COMPOSITION_INVALID',
            `${modulePath} was not imported within ${LIMIT_MS / 1000} s.`,
          ),
        ),
      LIMIT_MS,
    );
  });
  try {
    const { signature, calls, modules } = await Promise.race([host.ready, late]);
    return { signature, calls, files: modules.map((url) => fileURLToPath(url)) };
  } finally {
    clearTimeout(timer);
    await host.close();
  }
}
