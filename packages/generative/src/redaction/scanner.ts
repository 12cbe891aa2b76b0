/**
 * Replaces what patterns match in a text that comes in pieces. A piece of it is held back only while
 * a match may still be growing in it.
 *
 * All patterns run side by side as one automaton, so that a character takes time for each of its
 * live states at most, whatever the patterns are. Of several matches the leftmost is taken, of those
 * the longest, of those the one of the first pattern.
 *
 * A match has 1,024 characters at most. Of the threads in a state, the leftmost of each block of 512
 * beginnings continues: where one block's thread becomes too long, the next block's is there. So a match
 * of up to 512 characters never passes, whatever stands before it: it is taken, alone or as the end of
 * one that begins before it, unless another takes characters of it. One that is longer may pass where a
 * thread that began up to 511 characters before it came to the same state.
 */
import { appendPattern, contains, type Instruction, WORD_UNITS } from './program.ts';

/** Characters of a match at most: at worst, so many are held back and scanned again. */
const LONGEST_MATCH = 1024;
/** Beginnings that share a thread for each state. A match may have begun in three blocks. */
const BLOCK_BITS = Math.log2(LONGEST_MATCH / 2);
const LIVE_BLOCKS = 3;
/** Neither before nor behind a text is a character. */
const NONE = -1;

export interface PatternRule {
  readonly pattern: string;
  readonly ignoresCase?: boolean;
  readonly replacement: string;
}

export interface Program {
  readonly instructions: readonly Instruction[];
  readonly begins: readonly number[];
  /** By UTF-16 unit: whether a match may begin with it. */
  readonly first: Uint8Array;
  readonly replacements: readonly string[];
}

/** @throws SkeinError REQUEST_INVALID for a pattern that cannot be read. */
export function compile(rules: readonly PatternRule[]): Program {
  const instructions: Instruction[] = [];
  const begins = rules.map(({ pattern, ignoresCase = false }, rule) =>
    appendPattern(instructions, pattern, rule, ignoresCase),
  );
  const first = new Uint8Array(0x1_00_00);
  const seen = new Set<number>();
  const follow = (at: number): void => {
    if (seen.has(at)) return;
    seen.add(at);
    const instruction = instructions[at]!;
    if (instruction.op === 'split') instruction.to.forEach(follow);
    else if (instruction.op === 'edge') follow(instruction.next);
    else if (instruction.op === 'set') {
      for (const [from, to] of instruction.set.ranges) first.fill(1, from, to + 1);
    }
  };
  begins.forEach(follow);
  return { instructions, begins, first, replacements: rules.map(({ replacement }) => replacement) };
}

const isWord = (unit: number): boolean => unit !== NONE && contains(WORD_UNITS, unit);

export interface Scanner {
  /** @returns what can be passed on. */
  push(text: string): string;
  /** @returns the rest. */
  end(): string;
  /** Matches that were replaced so far, of each rule. */
  readonly replaced: readonly number[];
}

interface Match {
  readonly start: number;
  readonly end: number;
  readonly rule: number;
}

export function createScanner({ instructions, begins, first, replacements }: Program): Scanner {
  /** Text that has not been passed on. Positions are in it. */
  let buffer = '';
  let at = 0;
  /** Characters before the buffer. */
  let offset = 0;
  /** The unit before the buffer. */
  let previous = NONE;
  /** Live states by increasing beginning of their match, in pairs: instruction, beginning. */
  let live: number[] = [];
  let coming: number[] = [];
  let found: Match | undefined;
  const replaced = replacements.map(() => 0);
  /** When a thread of a block last visited an instruction: of several the leftmost continues. */
  const visited = new Int32Array(LIVE_BLOCKS * instructions.length);
  let visit = 0;
  const stack: number[] = [];

  /** Follows a thread to the sets that take `unit`, and to matches that end here. */
  function follow(begin: number, start: number, before: number, unit: number): void {
    const block = ((offset + start) >>> BLOCK_BITS) % LIVE_BLOCKS;
    stack.push(begin);
    while (stack.length > 0) {
      const index = stack.pop()!;
      const place = LIVE_BLOCKS * index + block;
      if (visited[place] === visit) continue;
      visited[place] = visit;
      const instruction = instructions[index]!;
      switch (instruction.op) {
        case 'split':
          for (const to of instruction.to) stack.push(to);
          break;
        case 'edge':
          if ((isWord(before) !== isWord(unit)) === instruction.isEdge)
            stack.push(instruction.next);
          break;
        case 'set':
          if (unit !== NONE && contains(instruction.set, unit) && at - start < LONGEST_MATCH) {
            coming.push(instruction.next, start);
          }
          break;
        default:
          note({ start, end: at, rule: instruction.rule });
      }
    }
  }

  function note(match: Match): void {
    const isBetter =
      found === undefined ||
      match.start < found.start ||
      (match.start === found.start &&
        (match.end > found.end || (match.end === found.end && match.rule < found.rule)));
    if (isBetter) found = match;
  }

  /** One character, or the end. */
  function step(unit: number): void {
    const before = at === 0 ? previous : buffer.charCodeAt(at - 1);
    visit += 1;
    coming = [];
    for (let index = 0; index < live.length; index += 2) {
      const start = live[index + 1]!;
      if (found !== undefined && start > found.start) break;
      follow(live[index]!, start, before, unit);
    }
    if (found === undefined && unit !== NONE && first[unit] === 1) {
      for (const begin of begins) follow(begin, at, before, unit);
    }
    live = coming;
  }

  function run(isEnd: boolean): string {
    let text = '';
    let passed = 0;
    for (;;) {
      if (found === undefined && live.length === 0) {
        while (at < buffer.length && first[buffer.charCodeAt(at)] === 0) at += 1;
      }
      const isLast = at === buffer.length;
      if (isLast && !isEnd) break;
      step(isLast ? NONE : buffer.charCodeAt(at));
      const match: Match | undefined = found;
      const isGrowing = live.length > 0 && (match === undefined || live[1]! <= match.start);
      if (match !== undefined && !isGrowing) {
        text += buffer.slice(passed, match.start) + replacements[match.rule]!;
        replaced[match.rule]! += 1;
        passed = at = match.end;
        live = [];
        found = undefined;
        continue;
      }
      if (isLast) break;
      at += 1;
    }
    const held: Match | undefined = found;
    const until = isEnd ? buffer.length : Math.min(held?.start ?? at, live[1] ?? at);
    text += buffer.slice(passed, until);
    if (until > 0) previous = buffer.charCodeAt(until - 1);
    buffer = buffer.slice(until);
    at -= until;
    offset += until;
    for (let index = 1; index < live.length; index += 2) live[index]! -= until;
    if (held !== undefined) {
      found = { ...held, start: held.start - until, end: held.end - until };
    }
    return text;
  }

  return {
    push(text) {
      buffer += text;
      return run(false);
    },
    end: () => run(true),
    replaced,
  };
}
