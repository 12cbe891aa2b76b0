/**
 * Parses JSON from a client, with bounds on its cost.
 *
 * `JSON.parse` blocks the event loop, and its result takes up to fifty times the bytes of the text:
 * a mebibyte of `{},{},…` is 350,000 objects. Brackets and commas are therefore counted first,
 * which costs two milliseconds per mebibyte. The bound on depth also protects code that recurses
 * over the value.
 */
import { SkeinError } from '@skein/api';

/** Nesting depth; no body of the API reaches ten. */
export const MAX_JSON_DEPTH = 64;
/** Values of one body: a batch of a thousand jobs, or a run of two thousand epochs, has 30,000. */
export const MAX_JSON_VALUES = 50_000;
/** Members of one object. Validation creates an error for each unknown member before it reports one. */
const MAX_JSON_MEMBERS = 4096;

const UTF8 = new TextDecoder('utf-8', { fatal: true });

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** @throws SkeinError BODY_NOT_JSON, REQUEST_INVALID if it is nested too deep or has too many values. */
export function parseJson(bytes: Uint8Array): unknown {
  boundJson(bytes, 0, bytes.length, MAX_JSON_VALUES);
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'it is not UTF-8';
    throw new SkeinError('BODY_NOT_JSON', `The body is not valid JSON: ${reason}.`);
  }
}

/**
 * Checks the bounds of a JSON text without parsing it. Text that is not JSON passes.
 * @throws SkeinError REQUEST_INVALID.
 */
export function boundJson(bytes: Uint8Array, start: number, end: number, maxValues: number): void {
  let depth = 0;
  let values = 1;
  /** Members so far by depth; minus infinity for an array. */
  const members = new Float64Array(MAX_JSON_DEPTH + 1);
  for (let at = start; at < end; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = endOfString(bytes, at + 1, end);
        break;
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        if (++depth > MAX_JSON_DEPTH) throw tooDeep();
        members[depth] = bytes[at] === OPEN_OBJECT ? 1 : -Infinity;
        values++;
        break;
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth--;
        break;
      case COMMA:
        values++;
        if (depth > 0 && ++members[depth]! > MAX_JSON_MEMBERS) throw tooManyMembers();
        break;
    }
  }
  if (values > maxValues) throw tooMany(maxValues);
}

/** Bytes that are looked at before a search, which costs as much as some of them, and is ten times as fast. */
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

export function tooDeep(): SkeinError {
  return new SkeinError('REQUEST_INVALID', `The JSON is nested deeper than ${MAX_JSON_DEPTH}.`);
}

function tooManyMembers(): SkeinError {
  return new SkeinError(
    'REQUEST_INVALID',
    `An object of the JSON has more than ${MAX_JSON_MEMBERS} members.`,
  );
}

export function tooMany(maxValues: number): SkeinError {
  return new SkeinError('REQUEST_INVALID', `The JSON has more than ${maxValues} values.`);
}
