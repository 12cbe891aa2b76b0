/** Writes and reads the fields of messages: little-endian integers, and bytes of known length. */
import { SkeinError } from '@skein/api/errors';
import type { Bytes } from '../crypto/suite.ts';

export class Writer {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }

  many(all: readonly Uint8Array[]): this {
    for (const bytes of all) this.raw(bytes);
    return this;
  }

  /** A label of fixed content, ended by a zero. */
  text(label: string): this {
    return this.raw(new TextEncoder().encode(`${label}\0`));
  }

  u8(value: number): this {
    return this.raw(Uint8Array.of(value));
  }

  u16(value: number): this {
    return this.raw(Uint8Array.of(value, value >>> 8));
  }

  u32(value: number): this {
    return this.raw(Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  bytes(): Bytes {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

/** The parts one after the other. */
export const joined = (parts: readonly Uint8Array[]): Bytes => new Writer().many(parts).bytes();

/** Reads untrusted bytes: every length is checked before anything is allocated. */
export class Reader {
  readonly #bytes: Bytes;
  readonly #what: string;
  #at = 0;

  /** @param what for the message of an error, as in "the keys of the round". */
  constructor(bytes: Uint8Array, what: string) {
    // On shared memory the bytes could change between a check and their use.
    this.#bytes = bytes.buffer instanceof ArrayBuffer ? (bytes as Bytes) : new Uint8Array(bytes);
    this.#what = what;
  }

  raw(length: number): Bytes {
    if (length > this.left) this.fail('it ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  u8(): number {
    return this.raw(1)[0]!;
  }

  u16(): number {
    const [low, high] = this.raw(2);
    return low! | (high! << 8);
  }

  u32(): number {
    return this.u16() + this.u16() * 2 ** 16;
  }

  /** A count of items of a known size, bounded by the bytes that follow. */
  count(itemBytes: number): number {
    const count = this.u32();
    if (count * itemBytes > this.left) this.fail(`it promises ${count} items`);
    return count;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  end(): void {
    if (this.left > 0) this.fail(`${this.left} bytes follow its end`);
  }

  fail(why: string): never {
    throw new SkeinError('AGGREGATION_INVALID', `Could not read ${this.#what}: ${why}.`);
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
