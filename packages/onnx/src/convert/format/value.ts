/**
 * Values of a JSON or UBJSON document, and typed access to them. Objects are maps, so that a key such as
 * `__proto__` is only a key; lists of numbers are arrays of numbers, which take eight bytes each.
 */
import { invalidModel } from '../../onnx-error.ts';

export type Value =
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | Numbers
  | ReadonlyMap<string, Value>;

export type Numbers =
  | Float64Array
  | Float32Array
  | Int32Array
  | Int16Array
  | Uint8Array
  | Int8Array;

/** Bounds of a document: XGBoost nests eight levels. */
export const MOST_LEVELS = 64;
export const MOST_VALUES = 50_000_000;

/** A position in a document, with its path for messages. */
export class Place {
  readonly value: Value | undefined;
  readonly path: string;

  constructor(value: Value | undefined, path: string) {
    this.value = value;
    this.path = path;
  }

  /** The member of an object; its value is undefined if there is none. */
  at(key: string): Place {
    const path = `${this.path}.${key}`;
    return new Place(this.value instanceof Map ? this.value.get(key) : undefined, path);
  }

  get exists(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  text(): string {
    if (typeof this.value === 'string') return this.value;
    throw this.wrong('a text');
  }

  /** XGBoost writes parameters as texts. */
  number(): number {
    const { value } = this;
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    if (typeof number === 'number' && !Number.isNaN(number)) return number;
    throw this.wrong('a number');
  }

  count(most: number): number {
    const number = this.number();
    if (Number.isInteger(number) && number >= 0 && number <= most) return number;
    throw this.wrong(`a whole number from 0 to ${most}`);
  }

  list(): readonly Place[] {
    if (isNumbers(this.value)) return Array.from(this.value, (each, at) => this.#item(each, at));
    if (!Array.isArray(this.value)) throw this.wrong('a list');
    return (this.value as readonly Value[]).map((each, at) => this.#item(each, at));
  }

  /** @param length that the list must have; any if it is left out. */
  numbers(length?: number): Numbers {
    let { value } = this;
    // Empty lists, and the booleans of XGBoost before 1.6.
    if (Array.isArray(value) && value.every((each) => typeof each === 'boolean')) {
      value = Uint8Array.from(value, Number);
    }
    if (!isNumbers(value)) throw this.wrong('a list of numbers');
    if (length !== undefined && value.length !== length) {
      throw invalidModel(`${this.path} has ${value.length} numbers; it must have ${length}.`);
    }
    return value;
  }

  #item(value: Value, at: number): Place {
    return new Place(value, `${this.path}[${at}]`);
  }

  wrong(expected: string): Error {
    const { value } = this;
    if (value === undefined) return invalidModel(`The file has no ${this.path}.`);
    const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : describe(value);
    return invalidModel(`${this.path} is ${shown}; it must be ${expected}.`);
  }
}

export function isNumbers(value: unknown): value is Numbers {
  return ArrayBuffer.isView(value);
}

function describe(value: Value): string {
  if (Array.isArray(value) || isNumbers(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
