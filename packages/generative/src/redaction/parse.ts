/**
 * Reads a pattern of an operator: the part of JavaScript's regular expressions that an automaton can
 * match in linear time, without the back-references and the look-around that backtrack without end.
 * It works in UTF-16 units, as JavaScript does without the flag `u`.
 */
import { SkeinError } from '@skein/api/errors';

/** Inclusive ranges of UTF-16 units. */
export type Ranges = readonly (readonly [number, number])[];

export type Node =
  | { readonly kind: 'set'; readonly ranges: Ranges }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  | { readonly kind: 'repeat'; readonly item: Node; readonly least: number; readonly most: number }
  /** Between a character of a word and another one, or not. */
  | { readonly kind: 'edge'; readonly isEdge: boolean };

const LAST = 0xffff;
const DIGITS: Ranges = [[0x30, 0x39]];
export const WORD: Ranges = [...DIGITS, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const SPACE: Ranges = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_ENDS: Ranges = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const CLASSES: Readonly<Record<string, Ranges>> = {
  d: DIGITS,
  w: WORD,
  s: SPACE,
  D: complement(DIGITS),
  W: complement(WORD),
  S: complement(SPACE),
};
const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11 };

function complement(ranges: Ranges): Ranges {
  const rest: [number, number][] = [];
  let from = 0;
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    if (first > from) rest.push([from, first - 1]);
    from = Math.max(from, last + 1);
  }
  if (from <= LAST) rest.push([from, LAST]);
  return rest;
}

/** @throws SkeinError REQUEST_INVALID, with the place in the pattern. */
export function parse(pattern: string, ignoresCase: boolean): Node {
  let at = 0;
  const cased = (ranges: Ranges): Ranges =>
    ignoresCase ? joined([...ranges, ...otherCases(ranges)]) : ranges;

  function fail(problem: string): never {
    throw new SkeinError('REQUEST_INVALID', `The pattern ${problem} (at character ${at + 1}).`);
  }

  function parseChoice(depth: number): Node {
    if (depth > 32) fail('is nested too deep');
    const options = [parseSequence(depth)];
    while (pattern[at] === '|') {
      at += 1;
      options.push(parseSequence(depth));
    }
    return options.length === 1 ? options[0]! : { kind: 'choice', options };
  }

  function parseSequence(depth: number): Node {
    const items: Node[] = [];
    while (at < pattern.length && pattern[at] !== '|' && pattern[at] !== ')') {
      items.push(parseRepeat(parseAtom(depth)));
    }
    return { kind: 'sequence', items };
  }

  function parseRepeat(item: Node): Node {
    const [text, sign, low, comma, high] =
      /^(?:([*+?])|\{(\d{1,4})(,?)(\d{0,4})\})/.exec(pattern.slice(at)) ?? [];
    if (text === undefined) return item;
    if (item.kind === 'edge') fail('repeats a place without characters');
    at += text.length;
    // The longest match is taken, whether or not the pattern asks for the shortest.
    if (pattern[at] === '?') fail('has a lazy repetition, which is not offered');
    if (sign !== undefined) {
      return {
        kind: 'repeat',
        item,
        least: sign === '+' ? 1 : 0,
        most: sign === '?' ? 1 : Infinity,
      };
    }
    const least = Number(low);
    const most = comma === '' ? least : high === '' ? Infinity : Number(high);
    if (most < least || most === 0) fail('has a repetition that is none');
    return { kind: 'repeat', item, least, most };
  }

  function parseAtom(depth: number): Node {
    const character = pattern[at]!;
    if (character === '(') return parseGroup(depth);
    if (character === '[') return { kind: 'set', ranges: parseSet() };
    if ('*+?{'.includes(character)) fail('repeats nothing');
    if ('^$'.includes(character)) fail('has an anchor, which is not offered');
    at += 1;
    if (character === '.') return { kind: 'set', ranges: complement(LINE_ENDS) };
    if (character !== '\\') return { kind: 'set', ranges: cased(single(character.charCodeAt(0))) };
    if (pattern[at] === 'b' || pattern[at] === 'B') {
      return { kind: 'edge', isEdge: pattern[at++] === 'b' };
    }
    return { kind: 'set', ranges: cased(parseEscape()) };
  }

  function parseGroup(depth: number): Node {
    at += 1;
    if (pattern.startsWith('?:', at)) at += 2;
    else if (pattern[at] === '?') fail('has a lookaround or a named group, which is not offered');
    const inner = parseChoice(depth + 1);
    if (pattern[at] !== ')') fail('has a group without an end');
    at += 1;
    return inner;
  }

  /** After the backslash. */
  function parseEscape(): Ranges {
    const character = pattern[at] ?? fail('ends with a backslash');
    const known = CLASSES[character];
    if (known !== undefined) {
      at += 1;
      return known;
    }
    const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(pattern.slice(at));
    if (hex !== null) {
      at += hex[0].length;
      return single(Number.parseInt(hex[1] ?? hex[2]!, 16));
    }
    if (/[0-9a-zA-Z]/.test(character) && ESCAPES[character] === undefined) {
      fail(`has the escape \\${character}, which is not offered`);
    }
    at += 1;
    return single(ESCAPES[character] ?? character.charCodeAt(0));
  }

  function parseSet(): Ranges {
    at += 1;
    const isNegated = pattern[at] === '^';
    if (isNegated) at += 1;
    const ranges: (readonly [number, number])[] = [];
    while (pattern[at] !== ']') {
      if (at >= pattern.length) fail('has a set without an end');
      const low = parseMember();
      if (pattern[at] !== '-' || pattern[at + 1] === ']' || pattern[at + 1] === undefined) {
        ranges.push(...low);
        continue;
      }
      at += 1;
      const high = parseMember();
      const [[from, to] = [1, 0]] = low;
      const [[last, end] = [1, 0]] = high;
      if (from !== to || last !== end || last < from) fail('has a range that is none');
      ranges.push([from, last]);
    }
    at += 1;
    if (ranges.length === 0) fail('has an empty set');
    return isNegated ? complement(cased(ranges)) : cased(ranges);
  }

  function parseMember(): Ranges {
    if (pattern[at] !== '\\') return single(pattern.charCodeAt(at++));
    at += 1;
    return parseEscape();
  }

  const node = parseChoice(0);
  if (at < pattern.length) fail('has a group that ends without a beginning');
  if (mayBeEmpty(node)) fail('matches the empty text');
  return node;
}

const single = (unit: number): Ranges => [[unit, unit]];

function mayBeEmpty(node: Node): boolean {
  switch (node.kind) {
    case 'set':
      return false;
    case 'edge':
      return true;
    case 'sequence':
      return node.items.every(mayBeEmpty);
    case 'choice':
      return node.options.some(mayBeEmpty);
    default:
      return node.least === 0 || mayBeEmpty(node.item);
  }
}

/** The fewest ranges of the same units. */
const joined = (ranges: Ranges): Ranges => complement(complement(ranges));

/** The units that JavaScript takes for one of these where it ignores case. */
function otherCases(ranges: Ranges): Ranges {
  caseClasses ??= findCaseClasses();
  const isIn = (unit: number): boolean => ranges.some(([from, to]) => from <= unit && unit <= to);
  return caseClasses.filter((units) => units.some(isIn)).flatMap((units) => units.flatMap(single));
}

let caseClasses: readonly (readonly number[])[] | undefined;

/** Units that have one capital letter, which is itself a unit, and in ASCII only of ASCII (ECMA-262, Canonicalize). */
function findCaseClasses(): readonly (readonly number[])[] {
  const classes = new Map<number, number[]>();
  for (let unit = 0; unit <= LAST; unit++) {
    const upper = String.fromCharCode(unit).toUpperCase();
    const code = upper.charCodeAt(0);
    const capital = upper.length !== 1 || (unit >= 128 && code < 128) ? unit : code;
    const units = classes.get(capital);
    if (units === undefined) classes.set(capital, [unit]);
    else units.push(unit);
  }
  return [...classes.values()].filter(({ length }) => length > 1);
}
