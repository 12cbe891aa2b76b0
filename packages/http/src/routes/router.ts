/** Finds the endpoint of a request in a table. */
import type { Endpoint } from '@skein/api';

export type Route =
  | {
      readonly kind: 'endpoint';
      /** Key of the row. */
      readonly id: string;
      readonly endpoint: Endpoint;
      readonly params: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'method'; readonly allowed: readonly string[] }
  | { readonly kind: 'unknown' };

/**
 * @returns finds the row of a method and a path, percent-encoded as in the URL: `method` with the
 *   allowed methods if only the method is wrong. HEAD finds GET.
 */
export function createRouter(
  endpoints: Readonly<Record<string, Endpoint>>,
): (method: string, path: string) => Route {
  const rows = Object.entries(endpoints).map(([id, endpoint]) => ({
    id,
    endpoint,
    pattern: endpoint.path.split('/'),
  }));
  return (method, path) => {
    const wanted = method === 'HEAD' ? 'GET' : method;
    const segments = path.split('/');
    const allowed = new Set<string>();
    for (const { id, endpoint, pattern } of rows) {
      const params = match(pattern, segments);
      if (params === undefined) continue;
      if (endpoint.method === wanted) return { kind: 'endpoint', id, endpoint, params };
      allowed.add(endpoint.method);
      if (endpoint.method === 'GET') allowed.add('HEAD');
    }
    return allowed.size === 0 ? { kind: 'unknown' } : { kind: 'method', allowed: [...allowed] };
  };
}

/** @param pattern literals, and names of parameters in braces. */
function match(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  const takesRest = pattern.at(-1)?.endsWith('+}') === true;
  if (takesRest ? segments.length < pattern.length : segments.length !== pattern.length) {
    return undefined;
  }
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const given = segments[index] ?? '';
    if (!expected.startsWith('{')) {
      if (given !== expected) return undefined;
      continue;
    }
    const isRest = takesRest && index === pattern.length - 1;
    const value = decode(isRest ? segments.slice(index).join('/') : given);
    if (value === undefined || value === '') return undefined;
    params[expected.slice(1, isRest ? -2 : -1)] = value;
  }
  return params;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
