/** Finds the endpoint of a request. */
import { ENDPOINTS, type Endpoint, type OperationId } from '@skein/api';

export type Route =
  | {
      readonly kind: 'endpoint';
      readonly id: OperationId;
      readonly endpoint: Endpoint;
      readonly params: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'method'; readonly allowed: readonly string[] }
  | { readonly kind: 'unknown' };

interface Row {
  readonly id: OperationId;
  readonly endpoint: Endpoint;
  /** A literal, or a parameter's name in braces. */
  readonly segments: readonly string[];
}

const ROWS: readonly Row[] = (Object.entries(ENDPOINTS) as [OperationId, Endpoint][]).map(
  ([id, endpoint]) => ({ id, endpoint, segments: endpoint.path.split('/') }),
);

/**
 * @param path percent-encoded, as in the URL.
 * @returns `method` with the allowed methods if only the method is wrong. HEAD finds GET.
 */
export function route(method: string, path: string): Route {
  const wanted = method === 'HEAD' ? 'GET' : method;
  const segments = path.split('/');
  const allowed = new Set<string>();
  for (const { id, endpoint, segments: pattern } of ROWS) {
    const params = match(pattern, segments);
    if (params === undefined) continue;
    if (endpoint.method === wanted) return { kind: 'endpoint', id, endpoint, params };
    allowed.add(endpoint.method);
    if (endpoint.method === 'GET') allowed.add('HEAD');
  }
  return allowed.size === 0 ? { kind: 'unknown' } : { kind: 'method', allowed: [...allowed] };
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const given = segments[index] ?? '';
    if (!expected.startsWith('{')) {
      if (given !== expected) return undefined;
      continue;
    }
    const value = decode(given);
    if (value === undefined || value === '') return undefined;
    params[expected.slice(1, -1)] = value;
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
