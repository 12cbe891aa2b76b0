/** Gemini's own API: `/v1beta/models/M:method`. Its code is loaded at the first call. */
import type { Face } from '../face.ts';
import type { LanguageOptions } from '../language/call.ts';
import type * as Routes from './routes.ts';

const PATH = /^\/v1(?:beta)?\/models\/[^/:]+(?:%2F[^/:]+)*:[A-Za-z]+$/i;

export function geminiFace(options: LanguageOptions): Face {
  // An import of what is loaded still takes some 30 µs.
  let routes: typeof Routes | undefined;
  return {
    http: (transport) => ({
      owns: (path) => path.startsWith('/v1') && (path.startsWith('/v1beta/') || PATH.test(path)),
      async serve(exchange, path, reachedAt) {
        routes ??= await import('./routes.ts');
        return routes.serveGemini(exchange, path, reachedAt, { ...options, ...transport });
      },
    }),
  };
}
