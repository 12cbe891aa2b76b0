/**
 * The format's default output validator: a diff of tokens, with tolerance for numbers on request.
 *
 * It reads output of a hostile program, so it allocates nothing per token, makes one pass, and
 * converts only tokens of bounded length to numbers. Bytes are compared, not characters.
 *
 * Follows "Default output validator specification" of the problem package format, 2025-09; the
 * legacy format's flags mean the same.
 */
import { invalid } from '../package/invalid.ts';

export interface DefaultValidatorFlags {
  readonly caseSensitive: boolean;
  readonly spaceChangeSensitive: boolean;
  readonly absoluteTolerance: number | undefined;
  readonly relativeTolerance: number | undefined;
}

export type Comparison =
  | { readonly accepted: true }
  /** For the judges: what differs, and where in the output. */
  | { readonly accepted: false; readonly message: string };

/**
 * @param at whose arguments they are, for the error.
 * @throws SkeinError PROBLEM_INVALID for flags that the format does not have.
 */
export function parseFlags(
  args: readonly string[],
  at = 'output_validator_args',
): DefaultValidatorFlags {
  let caseSensitive = false;
  let spaceChangeSensitive = false;
  let absolute: number | undefined;
  let relative: number | undefined;
  let both: number | undefined;
  for (let i = 0; i < args.length; i++) {
    const flag = args[i] ?? '';
    const tolerance = (before: number | undefined): number => {
      const word = args[++i] ?? '';
      const value = parseFloatToken(Buffer.from(word), 0, word.length);
      if (value === undefined || value < 0)
        throw invalid(at, `${flag}: "${word}" is not a tolerance`);
      if (before !== undefined) throw invalid(at, `${flag} is given twice`);
      return value;
    };
    if (flag === 'case_sensitive') caseSensitive = true;
    else if (flag === 'space_change_sensitive') spaceChangeSensitive = true;
    else if (flag === 'float_absolute_tolerance') absolute = tolerance(absolute);
    else if (flag === 'float_relative_tolerance') relative = tolerance(relative);
    else if (flag === 'float_tolerance') both = tolerance(both);
    else throw invalid(at, `the default validator has no flag "${flag}"`);
  }
  if (both !== undefined && (absolute ?? relative) !== undefined) {
    throw invalid(at, 'float_tolerance excludes the absolute and the relative tolerance');
  }
  return {
    caseSensitive,
    spaceChangeSensitive,
    absoluteTolerance: both ?? absolute,
    relativeTolerance: both ?? relative,
  };
}

/** @param output what the submission wrote. @param answer the answer file. */
export function compareOutput(
  output: Uint8Array,
  answer: Uint8Array,
  flags: DefaultValidatorFlags,
): Comparison {
  const ours = new Tokens(output);
  const theirs = new Tokens(answer);
  for (let token = 1; ; token++) {
    const more = theirs.next();
    const given = ours.next();
    if (flags.spaceChangeSensitive && !ours.sameSpaceAs(theirs)) {
      return reject(`whitespace differs before token ${token}`, ours);
    }
    if (!more && !given) return { accepted: true };
    if (!more) return reject(`token ${token}: "${ours.text()}" where the output should end`, ours);
    if (!given)
      return reject(`the output ends where token ${token}, "${theirs.text()}", is expected`, ours);
    if (!sameToken(ours, theirs, flags)) {
      return reject(`token ${token}: "${ours.text()}" where "${theirs.text()}" is expected`, ours);
    }
  }
}

function reject(message: string, tokens: Tokens): Comparison {
  return { accepted: false, message: `line ${tokens.line}: ${message}` };
}

function sameToken(ours: Tokens, theirs: Tokens, flags: DefaultValidatorFlags): boolean {
  const { absoluteTolerance: absolute, relativeTolerance: relative } = flags;
  if (absolute !== undefined || relative !== undefined) {
    const answer = theirs.number();
    if (answer !== undefined) {
      const given = ours.number();
      if (given === undefined) return false;
      const error = Math.abs(given - answer);
      // Beyond the range of a double, a number is only close to itself.
      if (!Number.isFinite(error)) return given === answer;
      return (
        (absolute !== undefined && error <= absolute) ||
        (relative !== undefined && error <= relative * Math.abs(answer))
      );
    }
  }
  return ours.sameBytesAs(theirs, flags.caseSensitive);
}

/** Space, form feed, line feed, carriage return, horizontal and vertical tab. */
function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

function lower(byte: number | undefined): number {
  if (byte === undefined) return -1;
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/** Walks over the tokens of a file; `start…end` is the current one, `spaceStart…start` what precedes it. */
class Tokens {
  readonly #bytes: Uint8Array;
  #spaceStart = 0;
  #start = 0;
  #end = 0;
  /** Line of the current token, from 1. */
  line = 1;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  next(): boolean {
    const bytes = this.#bytes;
    let at = this.#end;
    this.#spaceStart = at;
    while (at < bytes.length && isSpace(bytes[at])) {
      if (bytes[at] === 0x0a) this.line++;
      at++;
    }
    this.#start = at;
    while (at < bytes.length && !isSpace(bytes[at])) at++;
    this.#end = at;
    return this.#start < this.#end;
  }

  sameSpaceAs(other: Tokens): boolean {
    const length = this.#start - this.#spaceStart;
    if (length !== other.#start - other.#spaceStart) return false;
    for (let i = 0; i < length; i++) {
      if (this.#bytes[this.#spaceStart + i] !== other.#bytes[other.#spaceStart + i]) return false;
    }
    return true;
  }

  sameBytesAs(other: Tokens, caseSensitive: boolean): boolean {
    const length = this.#end - this.#start;
    if (length !== other.#end - other.#start) return false;
    for (let i = 0; i < length; i++) {
      const a = this.#bytes[this.#start + i];
      const b = other.#bytes[other.#start + i];
      if (a !== b && (caseSensitive || lower(a) !== lower(b))) return false;
    }
    return true;
  }

  number(): number | undefined {
    return parseFloatToken(this.#bytes, this.#start, this.#end);
  }

  /** For a message: bounded, printable ASCII only. */
  text(): string {
    const shown = Buffer.from(
      this.#bytes.subarray(this.#start, Math.min(this.#end, this.#start + 40)),
    );
    const clean = shown.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '?');
    return this.#end - this.#start > 40 ? `${clean}…` : clean;
  }
}

/** Longer tokens are no numbers; the format asks for 30 digits on either side of the point. */
const MAX_FLOAT_LENGTH = 400;
const FLOAT = /^[+-]?(?:\d*\.\d+|\d+\.|\d+)(?:[eE][+-]?\d+)?$/;

function parseFloatToken(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end - start > MAX_FLOAT_LENGTH || end === start) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  return FLOAT.test(text) ? Number(text) : undefined;
}
