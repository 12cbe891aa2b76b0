/**
 * Bounds a YAML text before it is parsed.
 *
 * The parser takes a second for 500 bytes of nested `? `, recurses over what is nested, and compares
 * every key of a map with every other. Its tokens are therefore counted first, with the columns of
 * the indicators that open a level.
 */
import { Lexer } from 'yaml';
import { invalid } from '../invalid.ts';

/** Characters; the largest files of published packages have some tens of thousands. */
const MAX_LENGTH = 256 * 2 ** 10;
/** A line `key: value` has seven. */
const MAX_TOKENS = 10_000;
/** The format needs six levels. */
const MAX_DEPTH = 16;

/** @throws SkeinError PROBLEM_INVALID. */
export function boundYaml(file: string, text: string): void {
  if (text.length > MAX_LENGTH) {
    throw invalid(file, `it has ${text.length} characters; YAML may have ${MAX_LENGTH}`);
  }
  let tokens = 0;
  let column = 0;
  let flow = 0;
  /** Columns of the indicators that are open, from the outermost. */
  const open: number[] = [];
  for (const token of new Lexer().lex(text)) {
    if (++tokens > MAX_TOKENS) throw invalid(file, `it has more than ${MAX_TOKENS} YAML tokens`);
    if (isControl(token)) continue;
    const blank = token.trim() === '';
    while (!blank && flow === 0 && (open.at(-1) ?? -1) > column) open.pop();
    if (token === '[' || token === '{') flow++;
    else if (token === ']' || token === '}') flow = Math.max(0, flow - 1);
    else if (token === '-' || token === '?' || token === ':') {
      if (flow === 0 && open.at(-1) !== column) open.push(column);
    }
    if (open.length + flow > MAX_DEPTH) {
      throw invalid(file, `its values are nested more than ${MAX_DEPTH} deep`);
    }
    const line = token.lastIndexOf('\n');
    column = line === -1 ? column + token.length : token.length - line - 1;
  }
}

/** Marks of the lexer, which stand for no text: of a document, a scalar, and the end of a broken flow. */
function isControl(token: string): boolean {
  return token === '\u0002' || token === '\u0018' || token === '\u001F';
}
