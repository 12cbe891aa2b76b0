/** Parses a query string into the object that its schema expects. */
import { SkeinError } from '@skein/api';

/**
 * `a=1&meta[x]=2` becomes `{ a: '1', meta: { x: '2' } }` (OpenAPI's `deepObject` style).
 * @throws SkeinError REQUEST_INVALID if a field appears twice.
 */
export function readQuery(search: URLSearchParams): Record<string, unknown> {
  const flat = new Map<string, string>();
  const deep = new Map<string, Map<string, string>>();
  for (const [name, value] of search) {
    const [, outer, inner] = /^([^[\]]+)\[([^[\]]+)\]$/.exec(name) ?? [];
    let fields = flat;
    if (outer !== undefined) {
      fields = deep.get(outer) ?? new Map<string, string>();
      deep.set(outer, fields);
    }
    const key = inner ?? name;
    if (fields.has(key)) {
      throw new SkeinError('REQUEST_INVALID', `The field "${name}" of the query is given twice.`);
    }
    fields.set(key, value);
  }
  return Object.fromEntries<unknown>([
    ...flat,
    ...[...deep].map(([name, fields]) => [name, Object.fromEntries(fields)] as const),
  ]);
}
