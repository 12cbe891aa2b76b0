/**
 * Patterns as the instructions of one automaton, which runs them side by side.
 *
 *   pattern ─ parse ─▶ node ─ append ─▶ instructions
 *
 * The construction is Thompson's (CACM 1968), in the form of Cox's "Regular Expression Matching: the
 * Virtual Machine Approach".
 */
import { SkeinError } from '@skein/api/errors';
import { type Node, parse, type Ranges, WORD } from './parse.ts';

export type Instruction =
  | { readonly op: 'set'; readonly set: UnitSet; readonly next: number }
  | { readonly op: 'split'; readonly to: number[] }
  | { readonly op: 'edge'; readonly isEdge: boolean; readonly next: number }
  | { readonly op: 'match'; readonly rule: number };

/** UTF-16 units: a table of ASCII, and ranges of them all. */
export interface UnitSet {
  readonly ascii: Uint8Array;
  readonly ranges: Ranges;
}

export const contains = ({ ascii, ranges }: UnitSet, unit: number): boolean =>
  unit < 128 ? ascii[unit] === 1 : isAmong(ranges, unit);

const isAmong = (ranges: Ranges, unit: number): boolean =>
  ranges.some(([from, to]) => unit >= from && unit <= to);

/** Instructions of one pattern; each is tried for each character at worst. */
const MOST_INSTRUCTIONS = 2000;
const tooLong = (): SkeinError =>
  new SkeinError('REQUEST_INVALID', 'The pattern repeats too much; bound its repetitions.');

/**
 * Adds a pattern to a program.
 *
 * @returns where it begins.
 * @throws SkeinError REQUEST_INVALID.
 */
export function appendPattern(
  program: Instruction[],
  pattern: string,
  rule: number,
  ignoresCase: boolean,
): number {
  const most = program.length + MOST_INSTRUCTIONS;
  /** A repetition has the same set many times. */
  const sets = new Map<Ranges, UnitSet>();

  function setOf(ranges: Ranges): UnitSet {
    let set = sets.get(ranges);
    if (set === undefined) sets.set(ranges, (set = unitSet(ranges)));
    return set;
  }

  function append(instruction: Instruction): number {
    if (program.length >= most) {
      throw tooLong();
    }
    return program.push(instruction) - 1;
  }

  let steps = 0;
  /** @returns where the node begins, when `next` follows it. */
  function build(node: Node, next: number): number {
    // A repetition of nothing adds no instruction.
    if (++steps > 10 * MOST_INSTRUCTIONS) throw tooLong();
    switch (node.kind) {
      case 'set':
        return append({ op: 'set', set: setOf(node.ranges), next });
      case 'edge':
        return append({ op: 'edge', isEdge: node.isEdge, next });
      case 'sequence':
        return node.items.reduceRight((after, item) => build(item, after), next);
      case 'choice':
        return append({ op: 'split', to: node.options.map((option) => build(option, next)) });
      default:
        return buildRepeat(node, next);
    }
  }

  function buildRepeat(
    { item, least, most: limit }: Node & { kind: 'repeat' },
    next: number,
  ): number {
    let begin = next;
    if (limit === Infinity) {
      const to = [next];
      begin = append({ op: 'split', to });
      to.unshift(build(item, begin));
    } else {
      for (let count = least; count < limit; count++) {
        begin = append({ op: 'split', to: [build(item, begin), next] });
      }
    }
    for (let count = 0; count < least; count++) begin = build(item, begin);
    return begin;
  }

  return build(parse(pattern, ignoresCase), append({ op: 'match', rule }));
}

function unitSet(ranges: Ranges): UnitSet {
  const ascii = Uint8Array.from({ length: 128 }, (_, unit) => (isAmong(ranges, unit) ? 1 : 0));
  return { ascii, ranges };
}

export const WORD_UNITS: UnitSet = unitSet(WORD);
