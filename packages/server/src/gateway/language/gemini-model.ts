/**
 * A model as Gemini's API lists it, and where its clients put their key. They ask for the list at
 * `/v1beta/models`, or at `/v1/models`, where OpenAI's clients do.
 */
import type { LanguageModelView } from '@skein/generative';
import type { NodeExchange } from '@skein/http';
import { headerOf } from './call.ts';

export const geminiModel = ({ name, contextTokens, kinds }: LanguageModelView) => ({
  name: `models/${name}`,
  displayName: name,
  ...(contextTokens === undefined ? {} : { inputTokenLimit: contextTokens }),
  supportedGenerationMethods: kinds.flatMap((kind) =>
    kind === 'generate' ? ['generateContent', 'streamGenerateContent'] : ['embedContent'],
  ),
});

/** Google's clients send the key in a header of its own. A key in the address would be logged by proxies. */
export function authorizationOf(exchange: NodeExchange): string | undefined {
  const key = headerOf(exchange, 'x-goog-api-key');
  return key === undefined ? exchange.request.headers.authorization : `Bearer ${key}`;
}
