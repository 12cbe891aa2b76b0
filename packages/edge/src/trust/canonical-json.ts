/**
 * The bytes that TUF signs: "Canonical JSON" of OLPC, which TUF 1.0 names in section 4.2. Keys are sorted, numbers are
 * integers, and only quote and backslash are escaped. `@skein/api/canonical` escapes control characters as JSON does.
 */
import { utf8 } from '@skein/api/canonical';

/** @throws TypeError for a number that is not a safe integer. */
export function signedBytes(value: unknown): Uint8Array<ArrayBuffer> {
  return utf8(canonicalJson(value));
}

export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => `${quoted(key)}:${canonicalJson(field)}`);
    return `{${fields.join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new TypeError(`${value} is not a safe integer.`);
  }
  return String(value);
}

const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
