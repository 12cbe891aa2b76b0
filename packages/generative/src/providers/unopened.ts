/**
 * In the place of a provider that this node cannot open: its secret is not there, or the folder of its
 * model is gone. Its calls are refused, so that the other routes of a model answer, and each tries to open
 * it again; a breaker decides how often that is.
 */
import type { LanguageProvider } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { unlessAborted } from '@skein/api/waits';
import type { Provider, ProviderCall } from '../contract.ts';
import { upstreamError } from '../wire/upstream-error.ts';

export interface UnopenedOptions {
  readonly settings: LanguageProvider;
  readonly open: () => Promise<Provider>;
  /** Called at each failure to open it, for the operator: a caller learns no more than that it is away. */
  readonly failed: (error: unknown) => void;
  /** Called once it is open. */
  readonly opened: () => void;
}

export function unopenedProvider({ settings, open, failed, opened }: UnopenedOptions): Provider {
  const { name, apiKey } = settings;
  let opening: Promise<Provider> | undefined;

  async function tried(): Promise<Provider> {
    try {
      const provider = await open();
      opened();
      return provider;
    } catch (error) {
      opening = undefined;
      failed(error);
      const lacksKey = error instanceof SkeinError && error.code === 'PROVIDER_INVALID';
      throw upstreamError(
        apiKey !== undefined && lacksKey ? 'PROVIDER_DENIED' : 'PROVIDER_UNREACHABLE',
        { provider: name, isOfBackend: true, message: 'this node cannot open it.' },
      );
    }
  }

  const provider = ({ signal }: ProviderCall): Promise<Provider> =>
    unlessAborted((opening ??= tried()), signal);

  function unsupported(what: string): SkeinError {
    return new SkeinError('GENERATION_UNSUPPORTED', `Provider ${name} ${what}.`);
  }

  return {
    name,
    async *generate(request, call) {
      yield* (await provider(call)).generate(request, call);
    },
    async embed(request, call) {
      const found = await provider(call);
      if (found.embed === undefined) throw unsupported('has no embeddings');
      return found.embed(request, call);
    },
    async countTokens(request, call) {
      const found = await provider(call);
      if (found.countTokens === undefined) throw unsupported('counts no tokens without an answer');
      return found.countTokens(request, call);
    },
    async check(model, signal) {
      const found = await unlessAborted((opening ??= tried()), signal);
      await found.check?.(model, signal);
    },
    async close() {
      await (await opening?.catch(() => undefined))?.close();
    },
  };
}
