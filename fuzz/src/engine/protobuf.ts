/**
 * Inputs as messages of protocol buffers, without their schema: bytes that parse as fields are
 * treated as a message. A change keeps the lengths around it right, so that the reader reaches the
 * change.
 *
 * Fields of the same place in any seed can stand in for each other: an operator's name for another,
 * a whole node for another.
 */
import { changedBytes } from './bytes.ts';
import type { Random } from './random.ts';
import type { Structure } from './target.ts';

const MOST_CHANGES = 5;
const DEEPEST = 12;
const VARINTS = [
  0n,
  1n,
  2n,
  127n,
  128n,
  255n,
  256n,
  65535n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
  2n ** 64n - 2n,
  2n ** 64n - 2n ** 31n,
];

interface Field {
  readonly number: number;
  readonly wire: number;
  /** A varint, fixed bytes, bytes, or the fields of a message. */
  readonly value: bigint | Uint8Array | readonly Field[];
  /** The bytes of a field that was read: a large message with one change is written as fast as it is copied. */
  readonly encoded?: Uint8Array;
}

type Pool = Map<string, Field[]>;

/** Fields of longer seeds are read for each input: to keep hundreds of thousands costs more, at each collection of garbage. */
const KEPT_BYTES = 16 * 1024;

/** @param donors messages whose fields come into others; default: the seeds. */
export function protobufInput(donors?: readonly Uint8Array[]): Structure {
  const parsed = new WeakMap<Uint8Array, readonly Field[]>();
  let pool: { readonly of: readonly Uint8Array[]; readonly fields: Pool } | undefined;
  const fieldsOf = (bytes: Uint8Array) => {
    const known = parsed.get(bytes);
    if (known !== undefined) return known;
    const fields = readFields(bytes, 0) ?? [];
    if (bytes.length <= KEPT_BYTES) parsed.set(bytes, fields);
    return fields;
  };
  return {
    mutate(seeds, random) {
      const from = donors ?? seeds;
      if (pool?.of !== from) pool = { of: from, fields: pooled(from.map(fieldsOf)) };
      const seed = random.pick(seeds);
      const isOwn = donors === undefined && random.oneIn(2);
      const own = isOwn ? pooledOnce(seed, fieldsOf) : pool.fields;
      let fields = fieldsOf(seed);
      const changes = 1 + random.below(MOST_CHANGES);
      for (let change = 0; change < changes; change++) fields = changed(fields, '', own, random);
      const bytes = written(fields);
      return random.oneIn(25) ? changedBytes(bytes, seeds, [], random) : bytes;
    },
    *shrink(input) {
      const fields = readFields(input, 0);
      if (fields !== undefined) for (const fewer of without(fields)) yield written(fewer);
    },
  };
}

const ownPools = new WeakMap<Uint8Array, Pool>();

/** The values of each place in a seed: names with a meaning there. */
function pooledOnce(seed: Uint8Array, fieldsOf: (bytes: Uint8Array) => readonly Field[]): Pool {
  let own = ownPools.get(seed);
  if (own === undefined) ownPools.set(seed, (own = pooled([fieldsOf(seed)])));
  return own;
}

function pooled(messages: readonly (readonly Field[])[]): Pool {
  const pool: Pool = new Map();
  const add = (fields: readonly Field[], place: string) => {
    for (const field of fields) {
      const key = `${place}/${field.number}`;
      const list = pool.get(key);
      if (list === undefined) pool.set(key, [field]);
      else list.push(field);
      if (isMessage(field.value)) add(field.value, key);
    }
  };
  for (const fields of messages) add(fields, '');
  return pool;
}

/** One change somewhere in a message, or below it. */
function changed(
  fields: readonly Field[],
  place: string,
  pool: Pool,
  random: Random,
): readonly Field[] {
  if (fields.length === 0) return fields;
  const at = random.below(fields.length);
  const field = fields[at]!;
  const key = `${place}/${field.number}`;
  if (isMessage(field.value) && !random.oneIn(5)) {
    return fields.with(at, altered(field, { value: changed(field.value, key, pool, random) }));
  }
  switch (random.below(10)) {
    case 0:
      return fields.toSpliced(at, 1);
    case 1:
      return fields.toSpliced(random.below(fields.length + 1), 0, field);
    case 2: {
      const other = random.below(fields.length);
      return fields.with(at, fields[other]!).with(other, field);
    }
    case 3:
      return fields.toSpliced(at, 0, random.pick(pool.get(key) ?? fields));
    case 4:
      return fields.with(at, altered(field, { number: 1 + random.below(32) }));
    case 5:
      // Many copies of a field: shows quadratic cost.
      return random.oneIn(10)
        ? fields.toSpliced(at, 0, ...Array.from({ length: 1 + random.below(64) }, () => field))
        : fields.with(at, altered(field, { value: [field], wire: 2 }));
    case 6:
    case 7:
      return fields.with(at, random.pick(pool.get(key) ?? fields));
    default:
      return fields.with(at, altered(field, valueFor(field, random)));
  }
}

const altered = ({ number, wire, value }: Field, change: Partial<Field>): Field => {
  return { number, wire, value, ...change };
};

function valueFor(field: Field, random: Random): Pick<Field, 'value' | 'wire'> {
  const { value, wire } = field;
  if (typeof value === 'bigint') {
    const near = BigInt.asUintN(64, value + BigInt(random.below(9) - 4));
    return { wire, value: random.oneIn(2) ? random.pick(VARINTS) : near };
  }
  const bytes = isMessage(value) ? written(value) : value;
  if (wire !== 2) return { wire, value: Uint8Array.from(bytes, () => random.word()) };
  // Packed numbers and texts look alike; both change as bytes do.
  return { wire, value: changedBytes(bytes.subarray(0, 4096), [bytes], [], random) };
}

/** The message without one of its fields, at any depth: the outermost first. */
function* without(fields: readonly Field[]): Generator<readonly Field[]> {
  for (let size = fields.length >> 1; size > 1; size >>= 1) {
    for (let at = 0; at < fields.length; at += size) yield fields.toSpliced(at, size);
  }
  for (let at = 0; at < fields.length; at++) yield fields.toSpliced(at, 1);
  for (const [at, field] of fields.entries()) {
    if (isMessage(field.value)) {
      for (const fewer of without(field.value))
        yield fields.with(at, altered(field, { value: fewer }));
    } else if (field.value instanceof Uint8Array && field.wire === 2) {
      for (let size = field.value.length >> 1; size >= 1; size >>= 1) {
        yield fields.with(at, altered(field, { value: field.value.subarray(0, size) }));
      }
    }
  }
}

function isMessage(value: Field['value']): value is readonly Field[] {
  return Array.isArray(value);
}

/** The fields of bytes that are a message from end to end. */
function readFields(bytes: Uint8Array, depth: number): readonly Field[] | undefined {
  if (depth > DEEPEST) return undefined;
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint | undefined => {
    const first = bytes[at];
    if (first !== undefined && first < 0x80) {
      at++;
      return BigInt(first);
    }
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return undefined;
  };
  while (at < bytes.length) {
    const start = at;
    const tag = varint();
    if (tag === undefined || tag < 8n || tag > 2n ** 16n) return undefined;
    const [number, wire] = [Number(tag >> 3n), Number(tag & 7n)];
    if (wire === 0) {
      const value = varint();
      if (value === undefined) return undefined;
      fields.push({ number, wire, value, encoded: bytes.subarray(start, at) });
      continue;
    }
    const length =
      wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? Number(varint() ?? Infinity) : Infinity;
    if (at + length > bytes.length) return undefined;
    const part = bytes.subarray(at, (at += length));
    const inner = wire === 2 && length > 1 ? readFields(part, depth + 1) : undefined;
    fields.push({ number, wire, value: inner ?? part, encoded: bytes.subarray(start, at) });
  }
  return fields;
}

export function written(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const field of fields) {
    const { number, wire, value, encoded } = field;
    if (encoded !== undefined) parts.push(encoded);
    else if (typeof value === 'bigint') parts.push(varintOf(BigInt(number * 8)), varintOf(value));
    else {
      const bytes = isMessage(value) ? written(value) : value;
      parts.push(varintOf(BigInt(number * 8 + wire)));
      if (wire === 2) parts.push(varintOf(BigInt(bytes.length)));
      parts.push(bytes);
    }
  }
  return Buffer.concat(parts);
}

function varintOf(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 127n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
