/** A gateway over a provider that a test controls. */
import { LanguageSettings, type LanguageSettingsInput } from '@skein/api';
import { onTestFinished } from 'vitest';
import type { FinishReason, Gateway, GenerateEvent, Provider } from '../contract.ts';
import type { GatewayOptions } from '../gateway-options.ts';
import { openGateway } from '../gateway.ts';

export const USAGE = { type: 'usage', usage: { inputTokens: 10, outputTokens: 20 } } as const;
export const text = (value: string): GenerateEvent => ({ type: 'text', text: value });

/** A provider that sends its words on demand, and counts its calls. */
export function puppet(
  name: string,
  words: readonly string[] = ['a', 'b'],
  reason: FinishReason = 'stop',
) {
  const state = { calls: 0, open: 0, go: Promise.resolve() as Promise<unknown> };
  const provider: Provider = {
    name,
    async *generate(_, { signal }) {
      state.calls += 1;
      state.open += 1;
      try {
        const gone = new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
        gone.catch(() => {});
        await Promise.race([state.go, gone]);
        for (const word of words) yield text(word);
        yield { type: 'finish', reason };
        yield USAGE;
      } finally {
        state.open -= 1;
      }
    },
    close: async () => {},
  };
  return { provider, state };
}

export async function open(
  settings: LanguageSettingsInput,
  more: Partial<GatewayOptions> = {},
): Promise<Gateway> {
  const gateway = await openGateway({ settings: LanguageSettings.parse(settings), ...more });
  onTestFinished(() => gateway.close());
  return gateway;
}

export const model = (name: string, ...providers: string[]) => ({
  name,
  routes: providers.map((provider) => ({ provider, model: 'm' })),
  ttftMs: 60_000,
});
