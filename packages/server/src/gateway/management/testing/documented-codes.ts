/** Holds the codes of refusals against the API's documents of their endpoint. */
import { COMMON_ERRORS, ENDPOINTS, errorsOf, SkeinError, type Endpoint } from '@skein/api';
import type { HttpRequest } from '@skein/http';

const ROWS = Object.entries<Endpoint>(ENDPOINTS).map(([id, endpoint]) => ({
  id,
  endpoint,
  pattern: new RegExp(`^${endpoint.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}));

export interface DocumentedCodes {
  /** Notes how a request ended. */
  note(request: HttpRequest, thrown: unknown): void;
  /** @throws Error that names each code that a document lacks. */
  check(): void;
}

export function documentedCodes(): DocumentedCodes {
  const missing = new Set<string>();
  return {
    note({ method = 'GET', url = '/' }, thrown) {
      // Others are faults, which are answered as INTERNAL; a client that has left reads no answer.
      if (!(thrown instanceof SkeinError) || thrown.code === 'CANCELLED') return;
      const path = url.split('?', 1)[0]!;
      const wanted = method === 'HEAD' ? 'GET' : method;
      const row = ROWS.find((each) => each.endpoint.method === wanted && each.pattern.test(path));
      if (row === undefined) return;
      const codes: readonly string[] = [...errorsOf(row.endpoint), ...COMMON_ERRORS];
      if (!codes.includes(thrown.code)) missing.add(`${row.id}: ${thrown.code}`);
    },
    check() {
      if (missing.size === 0) return;
      throw new Error(`Codes that no document of the API lists: ${[...missing].join(', ')}.`);
    },
  };
}
