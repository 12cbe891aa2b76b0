/** What the references of a JSON Schema lead to. */

/**
 * @param reference a JSON Pointer in a fragment (RFC 6901, section 6).
 * @returns undefined: nothing is there, or it is another kind of reference.
 */
export function referredIn(root: unknown, reference: string): unknown {
  if (!isPointer(reference)) return undefined;
  let at: unknown = root;
  for (const step of reference.split('/').slice(1)) {
    const name = decoded(step).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}

/** Not the name of an anchor, nor another document. */
export const isPointer = (reference: string): boolean =>
  reference === '#' || reference.startsWith('#/');

/** What is no escape stands for itself. */
function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}
