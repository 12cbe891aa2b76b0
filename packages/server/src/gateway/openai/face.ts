/** OpenAI's API for language models: `/v1/…`. Its code is loaded at the first call. */
import type { Face } from '../face.ts';
import type { LanguageOptions } from '../generative/call.ts';
import type { InferenceOptions } from '../oip/face.ts';

export type OpenAiOptions = LanguageOptions & Pick<InferenceOptions, 'inference'>;

export function openAiFace(options: OpenAiOptions): Face {
  return {
    http: (transport) => ({
      owns: (path) => path.startsWith('/v1/'),
      async serve(exchange, path, reachedAt) {
        const { serveOpenAi } = await import('./routes.ts');
        return serveOpenAi(exchange, path, reachedAt, { ...options, ...transport });
      },
    }),
  };
}
