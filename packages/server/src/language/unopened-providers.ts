/**
 * Providers that this node cannot open, and the reasons. One whose secret or folder is gone must not keep the
 * node from the others, nor from later declarations.
 */
import { SkeinError } from '@skein/api';
import type { GatewayLogger } from '@skein/http';

export interface UnopenedProviders {
  /** @param error undefined once the provider is open. */
  readonly note: (provider: string, error: unknown) => void;
  clear(): void;
  /** Undefined: all are open. */
  text(): string | undefined;
}

export function createUnopenedProviders(logger: Pick<GatewayLogger, 'warn'>): UnopenedProviders {
  const reasons = new Map<string, string>();
  return {
    note(provider, error) {
      if (error === undefined) return void reasons.delete(provider);
      const reason = reasonOf(error);
      if (reason !== reasons.get(provider)) {
        logger.warn({ provider, err: error }, 'A provider of language models cannot be opened.');
      }
      reasons.set(provider, reason);
    },
    clear: () => reasons.clear(),
    text: () =>
      reasons.size === 0
        ? undefined
        : [...reasons].map(([name, reason]) => `Provider ${name}: ${reason}`).join(' '),
  };
}

export const reasonOf = (error: unknown): string =>
  error instanceof SkeinError ? error.message : 'A fault; see the log.';
