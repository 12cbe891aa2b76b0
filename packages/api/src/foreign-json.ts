/**
 * Parses JSON that another process wrote: a caller, a peer, an upstream, a program or a shared store.
 *
 * `JSON.parse` blocks the event loop, and its result takes up to fifty times the bytes of the text:
 * a mebibyte of `{},{},…` is 350,000 objects. Brackets and commas are therefore counted first,
 * which costs two milliseconds per mebibyte. The bound on depth also protects code that recurses
 * over the value, the bound on members code that reports each of them. Runs in Node and in the browser.
 */
import { SkeinError } from './errors.ts';

export interface JsonBounds {
  /** Bytes of the text as UTF-8. */
  readonly bytes: number;
  /** Nesting depth. */
  readonly depth: number;
  /** Values of all levels. */
  readonly values: number;
  /** Members of one object. Validation creates an error for each unknown member before it reports one. */
  readonly members: number;
  /** A caller sent the text: an excess is the caller's error, and not a fault of another part. */
  readonly isRequest?: true;
}

const MIB = 2 ** 20;

/** Bounds by the origin of a text. A new origin needs a line with its reasons. */
export const JSON_BOUNDS = {
  /**
   * The body of a call. No body of the API reaches ten levels; a batch of a thousand jobs, or a run of
   * two thousand epochs, has 30,000 values. Faces bound the bytes of their bodies further.
   */
  request: { bytes: 64 * MIB, depth: 64, values: 50_000, members: 4096, isRequest: true },
  /** The header of a frame between two machines: names, shapes, a roster of sites. */
  frame: { bytes: MIB, depth: 16, values: 50_000, members: 4096 },
  /**
   * A row of a store that other processes write. A node writes none above a few MiB: a body of the API has 1 MiB,
   * a task's result 3. The event loop reads it, and answers with it, in one turn.
   */
  record: { bytes: 8 * MIB, depth: 64, values: 250_000, members: 20_000 },
  /** A file in a folder of data, which is read while nothing waits for the event loop. */
  stored: { bytes: 64 * MIB, depth: 64, values: 1_000_000, members: 100_000 },
  /**
   * A file of a language model, which its own process or the command line reads. The largest tokenizer.json has
   * 33 MB: 262,144 tokens are the members of one object, and 514,906 merges are lists of two texts.
   */
  model: { bytes: 256 * MIB, depth: 64, values: 8_000_000, members: 2 ** 21 },
  /** The tree of a statement of SQL. A sum of a hundred columns has 200 levels; the planner visits a tree by recursion. */
  statement: { bytes: 4 * MIB, depth: 512, values: 200_000, members: 256 },
  /** An answer, or an event, of an upstream: a batch of embeddings has 2,048 lists of numbers. */
  answer: { bytes: 64 * MIB, depth: 64, values: 8_000_000, members: 4096 },
} as const satisfies Readonly<Record<string, JsonBounds>>;

const UTF8 = new TextDecoder('utf-8', { fatal: true });
const ENCODER = new TextEncoder();

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Parses a text within bounds.
 * @param what names the text in errors, such as `body`.
 * @throws SkeinError of a request: BODY_NOT_JSON; REQUEST_INVALID if it exceeds a bound. Error of another text.
 */
export function readJson(
  source: Uint8Array | string,
  bounds: JsonBounds = JSON_BOUNDS.request,
  what = 'body',
): unknown {
  if (source.length > bounds.bytes) throw tooLong(bounds);
  if (typeof source !== 'string') boundJson(source, 0, source.length, bounds);
  else if (!isSmall(source, bounds)) {
    const bytes = ENCODER.encode(source);
    boundJson(bytes, 0, bytes.length, bounds);
  }
  return parsed(source, bounds, what);
}

/**
 * Whether a text is within the bounds by its length and the number of its brackets alone. Events of upstreams are: to encode
 * and to check one took longer than to parse it.
 */
function isSmall(text: string, { bytes, depth, values, members }: JsonBounds): boolean {
  // A character has at most three bytes, and every value and every member has at least one character.
  if (3 * text.length > bytes || text.length >= Math.min(values, members)) return false;
  let brackets = 0;
  for (const bracket of BRACKETS) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (++brackets > depth) return false;
    }
  }
  return true;
}

const BRACKETS = ['{', '['];

/**
 * `readJson` of a long request: bounds are checked in one turn of the event loop, values are made in the next one.
 * @param turn resolves in the next turn.
 */
export async function readJsonInTurns(
  source: Uint8Array,
  turn: () => Promise<unknown>,
): Promise<unknown> {
  const bounds = JSON_BOUNDS.request;
  boundJson(source, 0, source.length, bounds);
  await turn();
  return parsed(source, bounds, 'body');
}

function parsed(source: Uint8Array | string, bounds: JsonBounds, what: string): unknown {
  try {
    return JSON.parse(typeof source === 'string' ? source : UTF8.decode(source));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'it is not UTF-8';
    throw refusal(bounds, 'BODY_NOT_JSON', `The ${what} is not valid JSON: ${reason}.`);
  }
}

/** The value of `readJson`. @returns undefined for a text that is not JSON or exceeds a bound. */
export function readJsonOr(
  source: Uint8Array | string,
  bounds: JsonBounds,
  otherwise: unknown,
): unknown {
  try {
    return readJson(source, bounds);
  } catch {
    return otherwise;
  }
}

/**
 * Members so far by depth; minus infinity for an array. All texts share it, as each is checked in one turn: to make one
 * for each takes as long as the check of a short text.
 */
const members: number[] = [];

/**
 * Checks the bounds of a JSON text without parsing it. Text that is not JSON passes.
 * @throws SkeinError REQUEST_INVALID of a request; Error of another text.
 */
export function boundJson(bytes: Uint8Array, start: number, end: number, bounds: JsonBounds): void {
  if (end - start > bounds.bytes) throw tooLong(bounds);
  let depth = 0;
  let values = 1;
  for (let at = start; at < end; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = endOfString(bytes, at + 1, end);
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        if (++depth > bounds.depth) throw tooDeep(bounds);
        members[depth] = bytes[at] === OPEN_OBJECT ? 1 : -Infinity;
        values++;
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth--;
        break;
      case COMMA:
        values++;
        if (depth > 0 && ++members[depth]! > bounds.members) throw tooManyMembers(bounds);
        break;
    }
  }
  if (values > bounds.values) throw tooManyValues(bounds);
}

/** Bytes that are compared before a search, which costs as much as some of them, and is ten times as fast. */
const NEAR_BYTES = 64;

/** @param at behind the quote that begins a string. @returns where the one is that ends it, or the end. */
function endOfString(bytes: Uint8Array, at: number, end: number): number {
  for (;;) {
    for (const near = Math.min(end, at + NEAR_BYTES); at < near; at++) {
      if (bytes[at] === QUOTE) return at;
      if (bytes[at] === BACKSLASH) at++;
    }
    const quote = bytes.indexOf(QUOTE, at);
    if (quote === -1 || quote >= end) return end;
    let first = quote;
    while (first > at && bytes[first - 1] === BACKSLASH) first--;
    if ((quote - first) % 2 === 0) return quote;
    at = quote + 1;
  }
}

const refusal = (
  { isRequest }: JsonBounds,
  code: 'BODY_NOT_JSON' | 'REQUEST_INVALID',
  message: string,
): Error => (isRequest === true ? new SkeinError(code, message) : new Error(message));

const exceeds = (bounds: JsonBounds, message: string): Error =>
  refusal(bounds, 'REQUEST_INVALID', message);

const tooLong = (bounds: JsonBounds): Error =>
  exceeds(bounds, `The JSON has more than ${bounds.bytes} bytes.`);

export const tooDeep = (bounds: JsonBounds): Error =>
  exceeds(bounds, `The JSON is nested deeper than ${bounds.depth}.`);

const tooManyMembers = (bounds: JsonBounds): Error =>
  exceeds(bounds, `An object of the JSON has more than ${bounds.members} members.`);

export const tooManyValues = (bounds: JsonBounds): Error =>
  exceeds(bounds, `The JSON has more than ${bounds.values} values.`);
