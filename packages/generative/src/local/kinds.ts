/**
 * Opens the providers that run on this machine.
 *
 * Providers of one path share its process: a gateway that is opened while another has the model open,
 * as after each change of the declarations, does not load it a second time.
 */
import type { LanguageProvider } from '@skein/api';
import { SkeinError } from '@skein/api';
import type { Provider } from '../contract.ts';
import { modelAt } from './describe.ts';
import { openLocalProvider, type LocalProvider } from './provider.ts';

interface Shared {
  readonly opening: Promise<LocalProvider>;
  users: number;
}

const shared = new Map<string, Shared>();

export async function openLocal({ name, kind, path: given }: LanguageProvider): Promise<Provider> {
  if (given === undefined) {
    throw new SkeinError('PROVIDER_INVALID', `Provider ${name} of kind ${kind} needs path.`);
  }
  const path = await modelAt(given);
  let entry = shared.get(path);
  if (entry === undefined) {
    entry = { opening: openLocalProvider({ name, path }), users: 0 };
    shared.set(path, entry);
  }
  const used = entry;
  used.users++;
  async function leave(): Promise<void> {
    if (--used.users > 0) return;
    shared.delete(path);
    await (await used.opening.catch(() => undefined))?.close();
  }
  try {
    const provider = await used.opening;
    let isClosed = false;
    return {
      ...provider,
      name,
      async close() {
        if (isClosed) return;
        isClosed = true;
        await leave();
      },
    };
  } catch (error) {
    await leave();
    throw error;
  }
}
