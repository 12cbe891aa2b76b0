/**
 * Hides credentials of a request in the texts of an upstream: a gateway of an operator that
 * answers "400: the header authorization: Bearer sk-… is invalid" must not show the caller the key.
 */
const HIDDEN = '[hidden]';
/** Shorter values of headers are words and no credentials. */
const SHORTEST = 8;
/** An error has its texts at most so deep in it; what is deeper is left out. */
const DEPTH = 8;

export type Hide = (value: unknown) => unknown;

/** @param headers of the request, the operator's own among them. */
export function hidingOf(headers: Readonly<Record<string, string>>): Hide {
  const secrets = Object.values(headers)
    // `Bearer KEY` hides `KEY` too, and a key in base64 what it stands for.
    .flatMap((value) => [value, ...value.split(/\s+/).slice(1)])
    .flatMap((value) => [value, encodeURIComponent(value), decoded(value)])
    .filter((value) => value.length >= SHORTEST)
    // The longest first: it contains others.
    .toSorted((a, b) => b.length - a.length);

  function hide(value: unknown, depth: number): unknown {
    if (typeof value === 'string') {
      return secrets.reduce((text, secret) => text.replaceAll(secret, HIDDEN), value);
    }
    if (typeof value !== 'object' || value === null) return value;
    if (depth === DEPTH) return undefined;
    if (Array.isArray(value)) return value.map((each) => hide(each, depth + 1));
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, hide(each, depth + 1)]),
    );
  }
  return (value) => hide(value, 0);
}

/** The password of `Basic` in base64. */
function decoded(value: string): string {
  const text = Buffer.from(value, 'base64').toString();
  return /^[\x21-\x7e]+:[\x21-\x7e]+$/.test(text) ? text.slice(text.indexOf(':') + 1) : '';
}
