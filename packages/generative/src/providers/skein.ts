/**
 * Another node, over its OpenAI face. It gets the rest of the deadline, so that its own admission
 * decides; its refusals say how long to wait.
 */
import type { Provider } from '../contract.ts';
import { openAiProvider, type OpenAiOptions } from './openai/provider.ts';

export function skeinProvider(
  options: Omit<OpenAiOptions, 'headersOf' | 'continuation'>,
): Provider {
  return openAiProvider({
    ...options,
    continuation: 'skein',
    headersOf: ({ deadline }) => ({
      'skein-timeout-ms': String(Math.max(1, Math.floor(deadline - performance.now()))),
    }),
  });
}
