/**
 * Parses an inference request's JSON without parsing its tensors.
 *
 * The data arrays are nearly all of the bytes. They are cut out by position, so that `JSON.parse`
 * gets only the small rest. Each array is parsed later from its bytes, once its datatype is known,
 * whatever the order of the keys. In the parsed value an array is replaced by `[index]`. The client
 * cannot forge this form: every array under `inputs[…].data` has been replaced.
 */
import { isUtf8 } from 'node:buffer';
import { SkeinError } from '@skein/api';
import { JSON_BOUNDS, tooDeep, tooManyValues } from '@skein/api/foreign-json';
import { invalidRequest } from '../../brief.ts';

export interface CarvedJson {
  /** The JSON without its arrays. */
  readonly text: string;
  /** Start and end of each carved array in the bytes, brackets included. */
  readonly arrays: readonly CarvedArray[];
}

export interface CarvedArray {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Size of names, shapes and parameters. Parsed JSON takes up to twenty times the memory of its text. */
const MAX_ENVELOPE = 4 * 1024 * 1024;

const { depth: MAX_DEPTH, values: MAX_VALUES } = JSON_BOUNDS.request;

/** Depth of the key `data`: in an object, in an array, in an object. */
const DATA_DEPTH = 3;

/**
 * @param end where the JSON ends in `bytes`; binary tensors may follow.
 * @throws SkeinError BODY_NOT_JSON, REQUEST_INVALID if there is more outside the arrays than a
 *   request needs.
 */
export function carve(bytes: Buffer, end: number): CarvedJson {
  const arrays: CarvedArray[] = [];
  let text = '';
  let copied = 0;
  let depth = 0;
  /** Opening brackets of the outer levels. */
  const path = [0, 0, 0];
  let expectsKey = false;
  /** Largest number of values outside the arrays. */
  let values = 1;

  let at = 0;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      const close = endOfString(bytes, at, end);
      if (close === -1) throw unended('string', at);
      const isData =
        expectsKey &&
        depth === DATA_DEPTH &&
        path[0] === OPEN_OBJECT &&
        path[1] === OPEN_ARRAY &&
        path[2] === OPEN_OBJECT &&
        isDataKey(bytes, at, close);
      at = close + 1;
      if (!isData) continue;
      expectsKey = false;
      at = skipSpace(bytes, at);
      if (bytes[at] !== COLON) continue;
      at = skipSpace(bytes, at + 1);
      if (bytes[at] !== OPEN_ARRAY) continue;
      const arrayEnd = endOfArray(bytes, at, end);
      if (arrayEnd === -1) throw unended('array', at);
      // Here, not only at the end: what a million arrays leave behind takes the memory of five bodies.
      if (values > MAX_VALUES) throw tooManyValues(JSON_BOUNDS.request);
      text += `${textOf(bytes, copied, at)}[${arrays.length}]`;
      arrays.push({ start: at, end: arrayEnd });
      copied = at = arrayEnd;
      continue;
    }
    at++;
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth < DATA_DEPTH) path[depth] = byte;
      if (++depth > MAX_DEPTH) throw tooDeep(JSON_BOUNDS.request);
      values++;
      expectsKey = byte === OPEN_OBJECT;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (--depth < 0) break;
    } else if (byte === COMMA) {
      values++;
      expectsKey = path[depth - 1] === OPEN_OBJECT;
    } else if (byte === COLON) {
      expectsKey = false;
    }
  }

  if (values > MAX_VALUES) throw tooManyValues(JSON_BOUNDS.request);
  if (text.length + end - copied > MAX_ENVELOPE) {
    throw invalidRequest(
      `The request has more than ${MAX_ENVELOPE} bytes of JSON outside the data of its inputs.`,
    );
  }
  return { text: text + textOf(bytes, copied, end), arrays };
}

/** @throws SkeinError BODY_NOT_JSON for bytes that are not UTF-8: decoding would make other text of them. */
export function textOf(bytes: Buffer, start: number, end: number): string {
  if (isUtf8(bytes.subarray(start, end))) return bytes.toString('utf8', start, end);
  throw new SkeinError('BODY_NOT_JSON', 'The body is not valid JSON: it is not UTF-8.');
}

/**
 * Parses the JSON with an unused array, to check that it is valid.
 * @throws SkeinError BODY_NOT_JSON.
 */
export function parseCarved({ text }: CarvedJson, bytes: Buffer, end: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notJson(bytes, end, error);
  }
}

/** The parser's reason; for the whole text, so that positions match the client's, unless it is long. */
function notJson(bytes: Buffer, end: number, carved: unknown): SkeinError {
  let reason = carved;
  if (end <= MAX_ENVELOPE) {
    try {
      JSON.parse(bytes.toString('utf8', 0, end));
    } catch (error) {
      reason = error;
    }
  }
  const detail = reason instanceof Error ? reason.message : 'unreadable';
  return new SkeinError('BODY_NOT_JSON', `The body is not valid JSON: ${detail}.`);
}

function unended(what: string, at: number): SkeinError {
  return new SkeinError(
    'BODY_NOT_JSON',
    `The body is not valid JSON: the ${what} that begins at byte ${at} does not end.`,
  );
}

function isDataKey(bytes: Buffer, open: number, close: number): boolean {
  if (close - open === 5) {
    // "data"
    return (
      bytes[open + 1] === 0x64 &&
      bytes[open + 2] === 0x61 &&
      bytes[open + 3] === 0x74 &&
      bytes[open + 4] === 0x61
    );
  }
  const key = bytes.toString('latin1', open, close + 1);
  if (!key.includes('\\')) return false;
  try {
    return JSON.parse(key) === 'data';
  } catch {
    return false;
  }
}

/** Position of the closing quote of the string that opens at `open`, or -1. */
function endOfString(bytes: Buffer, open: number, end: number): number {
  let at = open + 1;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    at += byte === BACKSLASH ? 2 : 1;
  }
  return -1;
}

/** Position after the bracket that closes the array at `open`, or -1. */
function endOfArray(bytes: Buffer, open: number, end: number): number {
  const close = bytes.indexOf(CLOSE_ARRAY, open);
  if (close === -1 || close >= end) return -1;
  const inside = bytes.subarray(open + 1, close);
  // A flat array of numbers: native search finds its end.
  if (!inside.includes(OPEN_ARRAY) && !inside.includes(QUOTE)) return close + 1;

  let depth = 0;
  for (let at = open; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === OPEN_ARRAY) depth++;
    else if (byte === CLOSE_ARRAY) {
      if (--depth === 0) return at + 1;
    } else if (byte === QUOTE) {
      at = endOfString(bytes, at, end);
      if (at === -1) return -1;
    }
  }
  return -1;
}

function skipSpace(bytes: Buffer, at: number): number {
  let byte = bytes[at];
  while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at];
  return at;
}
