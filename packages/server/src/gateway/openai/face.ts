/** OpenAI's API for language models: `/v1/…`. Its code is loaded at the first call. */
import type { Face } from '../face.ts';
import type * as Routes from './routes.ts';
import type { OpenAiOptions } from './options.ts';

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
