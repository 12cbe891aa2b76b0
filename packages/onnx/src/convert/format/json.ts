/**
 * Reads a JSON text of any length from its bytes, within bounds of depth and values. XGBoost writes `NaN`
 * for the threshold of a categorical split, which `JSON.parse` refuses; a long list of numbers is kept as an array of eight bytes each.
 */
import { invalidModel } from '../../onnx-error.ts';
import { MOST_LEVELS, MOST_VALUES, type Value } from './value.ts';

const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const WORDS: readonly (readonly [word: string, value: Value])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', Number.NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
];
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const LATIN = new TextDecoder('latin1');
const UTF8 = new TextDecoder();

/** @throws OnnxError `invalid`, with the position. */
export function readJsonDocument(bytes: Uint8Array): Value {
  const reader = new JsonReader(bytes);
  return reader.document();
}

class JsonReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  document(): Value {
    const value = this.#value(0);
    if (this.#next() !== undefined) throw this.#wrong('the end of the file');
    return value;
  }

  #value(depth: number): Value {
    if (depth > MOST_LEVELS) throw invalidModel(`The file nests more than ${MOST_LEVELS} levels.`);
    if (++this.#values > MOST_VALUES) {
      throw invalidModel(`The file has more than ${MOST_VALUES} values.`);
    }
    const first = this.#next();
    if (first === undefined) throw this.#wrong('a value');
    if (first === 0x7b) return this.#object(depth);
    if (first === 0x5b) return this.#list(depth);
    return first === QUOTE ? this.#text() : this.#scalar();
  }

  #object(depth: number): Value {
    const members = new Map<string, Value>();
    this.#at++;
    while (this.#next() !== 0x7d) {
      if (members.size > 0) this.#take(COMMA, '"," or "}"');
      if (this.#next() !== QUOTE) throw this.#wrong('a key');
      const key = this.#text();
      this.#take(0x3a, '":"');
      members.set(key, this.#value(depth + 1));
    }
    this.#at++;
    return members;
  }

  #list(depth: number): Value {
    const items: Value[] = [];
    let areNumbers = true;
    this.#at++;
    while (this.#next() !== 0x5d) {
      if (items.length > 0) this.#take(COMMA, '"," or "]"');
      const item = this.#value(depth + 1);
      areNumbers &&= typeof item === 'number';
      items.push(item);
    }
    this.#at++;
    return areNumbers && items.length > 0 ? Float64Array.from(items as number[]) : items;
  }

  #text(): string {
    const start = ++this.#at;
    let end = start;
    let isPlain = true;
    while (this.#bytes[end] !== QUOTE) {
      if (end >= this.#bytes.length) {
        this.#at = end;
        throw this.#wrong('the end of a text');
      }
      if (this.#bytes[end] === BACKSLASH) {
        isPlain = false;
        end++;
      }
      end++;
    }
    this.#at = end + 1;
    const text = UTF8.decode(this.#bytes.subarray(start, end));
    return isPlain ? text : unescaped(text);
  }

  #scalar(): Value {
    const start = this.#at;
    let end = start;
    // The characters of numbers and of the words.
    while (/[-+.\w]/.test(String.fromCharCode(this.#bytes[end] ?? 0))) end++;
    const text = LATIN.decode(this.#bytes.subarray(start, Math.min(end, start + 400)));
    const word = WORDS.find(([each]) => each === text);
    const isNumber = /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text);
    // The beginning of a word at the end of the file was cut off.
    if (word === undefined && !isNumber && end >= this.#bytes.length) this.#at = end;
    if (word === undefined && !isNumber) throw this.#wrong('the rest of a value');
    this.#at = end;
    return word === undefined ? Number(text) : word[1];
  }

  /** The next byte that is no space, which stays. */
  #next(): number | undefined {
    while (SPACES.has(this.#bytes[this.#at]!)) this.#at++;
    return this.#bytes[this.#at];
  }

  #take(byte: number, expected: string): void {
    if (this.#next() !== byte) throw this.#wrong(expected);
    this.#at++;
  }

  #wrong(expected: string): Error {
    const isEnd = this.#at >= this.#bytes.length;
    return invalidModel(
      isEnd
        ? `The file is truncated after ${this.#bytes.length} bytes: ${expected} is missing.`
        : `The file is not valid JSON: ${expected} is missing at byte ${this.#at}.`,
    );
  }
}

function unescaped(text: string): string {
  return text.replaceAll(
    /\\(?:u([\da-fA-F]{4})|(.?))/gs,
    (_all, code: string | undefined, letter) => {
      if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
      const meant = ESCAPES[letter as string];
      if (meant === undefined) throw invalidModel(`The file has the escape \\${letter} in a text.`);
      return meant;
    },
  );
}
