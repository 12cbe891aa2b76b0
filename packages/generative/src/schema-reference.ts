/** The targets of references in a JSON Schema. */
import { isUtf8 } from 'node:buffer';

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

/** Text that is no escape stands for itself. Without exceptions: a schema may have thousands of such steps. */
function decoded(step: string): string {
  if (!step.includes('%') || /%(?![\dA-Fa-f]{2})/.test(step)) return step;
  const byteOf = (_: string, digits: string) => String.fromCharCode(Number.parseInt(digits, 16));
  const bytes = Buffer.from(
    Buffer.from(step).toString('latin1').replaceAll(/%(..)/g, byteOf),
    'latin1',
  );
  return isUtf8(bytes) ? bytes.toString() : step;
}
