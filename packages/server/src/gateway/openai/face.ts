/** OpenAI's API for language models: `/v1/…`. Its code is loaded at the first call. */
import type { Inference } from '@skein/serving';
import type { Caller } from '../../access/contract.ts';
import type { KeptResponses } from '../../language/kept-responses.ts';
import type { Face } from '../face.ts';
import type { LanguageOptions } from '../generative/call.ts';
import type * as Routes from './routes.ts';

export interface OpenAiOptions extends LanguageOptions {
  /** For embeddings by a served encoder. */
  readonly inference: Inference;
  /** The stored ones of a caller; undefined: none are stored. */
  readonly responses: (caller: Caller) => Promise<KeptResponses | undefined>;
  /** Authenticates what clients keep for this node; undefined while it cannot be read. */
  readonly sealKey: () => Promise<Buffer | undefined>;
}

export function openAiFace(options: OpenAiOptions): Face {
  // An import of what is loaded still takes some 30 µs.
  let routes: typeof Routes | undefined;
  return {
    http: (transport) => ({
      owns: (path) => path.startsWith('/v1/'),
      async serve(exchange, path, reachedAt) {
        routes ??= await import('./routes.ts');
        return routes.serveOpenAi(exchange, path, reachedAt, { ...options, ...transport });
      },
    }),
  };
}
