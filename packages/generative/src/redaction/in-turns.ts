/**
 * Redacts the texts of a request in turns of the event loop: a mebibyte takes some 200 ms, and other requests must
 * not wait for it.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Replace } from './redacted-extra.ts';
import { createScanner, type Program } from './scanner.ts';

/** Characters that one turn scans: some 10 ms. */
const AT_ONCE = 32 * 1024;

/** Called with the number of matches that each rule of the program replaced. */
export type Count = (replaced: readonly number[]) => void;

export function replaceBy(program: Program, count: Count): Replace {
  return (text) => {
    const scanner = createScanner(program);
    const replaced = scanner.push(text) + scanner.end();
    count(scanner.replaced);
    return replaced;
  };
}

/**
 * @param redacted what is made of the request by a replacement of its texts. It is called twice where they are long.
 * @throws the reason of the signal.
 */
export async function inTurns<T>(
  program: Program,
  count: Count,
  redacted: (replace: Replace) => T,
  signal?: AbortSignal,
): Promise<T> {
  const replace = replaceBy(program, count);
  const texts = new Set<string>();
  let length = 0;
  redacted((text) => {
    texts.add(text);
    length += text.length;
    return text;
  });
  if (length <= AT_ONCE) return redacted(replace);

  const known = new Map<string, { readonly text: string; readonly replaced: readonly number[] }>();
  let scanned = 0;
  for (const text of texts) {
    const scanner = createScanner(program);
    let found = '';
    for (let at = 0; at < text.length; at += AT_ONCE) {
      const piece = text.slice(at, at + AT_ONCE);
      found += scanner.push(piece);
      scanned += piece.length;
      if (scanned < AT_ONCE) continue;
      scanned = 0;
      await turn();
      signal?.throwIfAborted();
    }
    known.set(text, { text: found + scanner.end(), replaced: scanner.replaced });
  }
  return redacted((text) => {
    const found = known.get(text);
    if (found === undefined) return replace(text);
    count(found.replaced);
    return found.text;
  });
}
