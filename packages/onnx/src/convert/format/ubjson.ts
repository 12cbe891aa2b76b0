/**
 * Reads Universal Binary JSON, draft 12, as XGBoost writes it: big-endian, with typed arrays. Arrays of one
 * type of number are kept in that type.
 */
import { invalidModel } from '../../onnx-error.ts';
import { MOST_LEVELS, MOST_VALUES, type Numbers, type Value } from './value.ts';

const UTF8 = new TextDecoder();

/** Types of numbers by their marker: bytes of one, how it is read, and the array that holds many. */
const NUMBERS: Readonly<
  Record<
    string,
    {
      readonly size: number;
      readonly read: (view: DataView, at: number) => number;
      readonly array: new (length: number) => Numbers;
    }
  >
> = {
  i: { size: 1, read: (view, at) => view.getInt8(at), array: Int8Array },
  U: { size: 1, read: (view, at) => view.getUint8(at), array: Uint8Array },
  I: { size: 2, read: (view, at) => view.getInt16(at), array: Int16Array },
  l: { size: 4, read: (view, at) => view.getInt32(at), array: Int32Array },
  L: { size: 8, read: (view, at) => Number(view.getBigInt64(at)), array: Float64Array },
  d: { size: 4, read: (view, at) => view.getFloat32(at), array: Float32Array },
  D: { size: 8, read: (view, at) => view.getFloat64(at), array: Float64Array },
};

/** @throws OnnxError `invalid`, with the position. */
export function readUbjson(bytes: Uint8Array): Value {
  return new UbjsonReader(bytes).document();
}

class UbjsonReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  document(): Value {
    const value = this.#value(this.#marker(), 0);
    if (this.#at !== this.#bytes.length) {
      throw invalidModel(`The file has more bytes behind its end, at byte ${this.#at}.`);
    }
    return value;
  }

  #value(marker: string, depth: number): Value {
    if (depth > MOST_LEVELS) throw invalidModel(`The file nests more than ${MOST_LEVELS} levels.`);
    this.#count(1);
    if (Object.hasOwn(NUMBERS, marker)) return this.#number(marker);
    switch (marker) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#list(depth);
      case 'S':
        return this.#text();
      case 'C':
        return String.fromCharCode(this.#bytes[this.#skip(1)]!);
      case 'T':
        return true;
      case 'F':
        return false;
      case 'Z':
        return null;
      default:
        throw invalidModel(
          `The file has the unknown marker ${JSON.stringify(marker)} at byte ${this.#at - 1}.`,
        );
    }
  }

  #object(depth: number): Value {
    const { type, count } = this.#head();
    const members = new Map<string, Value>();
    for (let read = 0; count === undefined ? !this.#ends('}') : read < count; read++) {
      const key = this.#text();
      members.set(key, this.#value(type ?? this.#marker(), depth + 1));
    }
    return members;
  }

  #list(depth: number): Value {
    const { type, count } = this.#head();
    if (type !== undefined && count !== undefined && Object.hasOwn(NUMBERS, type)) {
      return this.#numbers(type, count);
    }
    const items: Value[] = [];
    while (count === undefined ? !this.#ends(']') : items.length < count) {
      items.push(this.#value(type ?? this.#marker(), depth + 1));
    }
    return items.length > 0 && items.every((item) => typeof item === 'number')
      ? Float64Array.from(items)
      : items;
  }

  #numbers(type: string, count: number): Numbers {
    const { size, read, array: Numbers } = NUMBERS[type]!;
    this.#count(count);
    let from = this.#skip(count * size);
    const numbers = new Numbers(count);
    for (let at = 0; at < count; at++, from += size) numbers[at] = read(this.#view, from);
    return numbers;
  }

  /** The type and the number of the values of a container, where it states them. */
  #head(): { type?: string; count?: number } {
    const type = this.#takes('$') ? this.#marker() : undefined;
    const count = this.#takes('#') ? this.#length() : undefined;
    if (count === undefined) {
      if (type !== undefined) throw invalidModel('The file has a typed list without its length.');
      return {};
    }
    // Types without bytes would fill memory with nothing behind them.
    this.#count(count);
    return type === undefined ? { count } : { type, count };
  }

  #number(marker: string): number {
    const { size, read } = NUMBERS[marker]!;
    return read(this.#view, this.#skip(size));
  }

  #length(): number {
    const marker = this.#marker();
    const length = Object.hasOwn(NUMBERS, marker) ? this.#number(marker) : -1;
    if (!Number.isInteger(length) || length < 0) {
      throw invalidModel(`The file has a wrong length at byte ${this.#at}.`);
    }
    return length;
  }

  #text(): string {
    const length = this.#length();
    const from = this.#skip(length);
    return UTF8.decode(this.#bytes.subarray(from, from + length));
  }

  #marker(): string {
    let marker = 'N';
    // N: no operation, between values.
    while (marker === 'N') marker = String.fromCharCode(this.#bytes[this.#skip(1)]!);
    return marker;
  }

  #takes(marker: string): boolean {
    if (this.#bytes[this.#at] !== marker.charCodeAt(0)) return false;
    this.#at++;
    return true;
  }

  #ends(marker: string): boolean {
    while (this.#takes('N'));
    if (this.#at >= this.#bytes.length) this.#skip(1);
    return this.#takes(marker);
  }

  /** @returns the position before it. */
  #skip(length: number): number {
    const from = this.#at;
    if (length > this.#bytes.length - from) {
      throw invalidModel(
        `The file is truncated after ${this.#bytes.length} bytes: at least ${length - (this.#bytes.length - from)} more belong to it.`,
      );
    }
    this.#at += length;
    return from;
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > MOST_VALUES) {
      throw invalidModel(`The file has more than ${MOST_VALUES} values.`);
    }
  }
}
