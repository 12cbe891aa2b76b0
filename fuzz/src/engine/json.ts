/** Inputs as JSON: values, keys and nesting change, and now and then the text itself. */
import { changedBytes, shorter } from './bytes.ts';
import type { Random } from './random.ts';
import type { Structure } from './target.ts';

const MOST_CHANGES = 4;
/** One input in so many is broken as a text. */
const BROKEN_TEXTS = 6;
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  2 ** 53,
  -(2 ** 31),
  2 ** 32,
  '',
  ' ',
  '0',
  '__proto__',
  '\u0000',
  '\ud800',
  'a'.repeat(300),
  [],
  {},
  [[]],
  [null],
  { constructor: 1 },
];
const KEYS = ['__proto__', 'constructor', 'toString', '', 'length', 'hasOwnProperty'];

/** Stands for lists nested so deep that they exist as text only. */
const DEEP = '\u0001deep';
const DEPTH = 20_000;

type Json = unknown;

/** @param dictionary values with a meaning for the target. */
export function jsonInput(dictionary: readonly Json[] = []): Structure {
  const parsed = new WeakMap<Uint8Array, Json>();
  const values = [...VALUES, ...dictionary];
  const valueOf = (bytes: Uint8Array): Json => {
    let value = parsed.get(bytes);
    if (value === undefined) {
      value = JSON.parse(Buffer.from(bytes).toString());
      parsed.set(bytes, value);
    }
    return value;
  };
  return {
    mutate(seeds, random) {
      let value = valueOf(random.pick(seeds));
      const other = valueOf(random.pick(seeds));
      const changes = 1 + random.below(MOST_CHANGES);
      for (let change = 0; change < changes; change++)
        value = changed(value, other, values, random);
      const bytes = Buffer.from(textOf(value, random));
      return random.oneIn(BROKEN_TEXTS) ? changedBytes(bytes, seeds, [], random) : bytes;
    },
    *shrink(input) {
      let value: Json;
      try {
        value = JSON.parse(Buffer.from(input).toString());
        // Deeper than it can be written: shrunk as a text.
        JSON.stringify(value);
      } catch {
        yield* shorter(input);
        return;
      }
      for (const fewer of without(value)) yield Buffer.from(JSON.stringify(fewer) ?? 'null');
    },
  };
}

/** One change somewhere in a value; `__proto__` is a key like any other. */
function changed(value: Json, other: Json, values: readonly Json[], random: Random): Json {
  if (typeof value !== 'object' || value === null || random.oneIn(8)) {
    return replaced(value, other, values, random);
  }
  if (Array.isArray(value)) {
    const list: readonly Json[] = value;
    const at = random.below(list.length + 1);
    if (at === list.length || random.oneIn(4)) {
      if (random.oneIn(2)) return list.toSpliced(at, 1);
      const copies = random.oneIn(10) ? random.below(300) : 1;
      const added = at < list.length ? list[at] : random.pick(values);
      return list.toSpliced(at, 0, ...Array.from({ length: copies }, () => added));
    }
    return list.with(at, changed(list[at], other, values, random));
  }
  const entries = Object.entries(value);
  const at = random.below(entries.length + 1);
  const entry = entries[at];
  if (entry === undefined) {
    return ownObject([...entries, [random.pick(KEYS), random.pick(values)]]);
  }
  if (random.oneIn(6)) return ownObject(entries.toSpliced(at, 1));
  if (random.oneIn(8)) return ownObject(entries.with(at, [random.pick(KEYS), entry[1]]));
  return ownObject(entries.with(at, [entry[0], changed(entry[1], other, values, random)]));
}

function replaced(value: Json, other: Json, values: readonly Json[], random: Random): Json {
  switch (random.below(5)) {
    case 0:
      return { value };
    case 1: {
      if (random.oneIn(20)) return DEEP;
      let nested: Json = value;
      for (let i = random.below(6); i >= 0; i--) nested = [nested];
      return nested;
    }
    case 2:
      return somewhereIn(other, random);
    case 3:
      if (typeof value === 'number') return value * random.pick([-1, 2, 1e6, 0.5, 1e300]);
      if (typeof value === 'string') return random.oneIn(2) ? value + value : value.slice(1);
      return random.pick(values);
    default:
      return random.pick(values);
  }
}

function somewhereIn(value: Json, random: Random): Json {
  if (typeof value !== 'object' || value === null || random.oneIn(3)) return value;
  const inside = Object.values(value) as Json[];
  return inside.length === 0 ? value : somewhereIn(random.pick(inside), random);
}

function ownObject(entries: readonly (readonly [string, Json])[]): Json {
  const result = {};
  for (const [key, value] of entries) {
    Object.defineProperty(result, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return result;
}

/** Writes the JSON with or without spaces, as clients do. */
function textOf(value: Json, random: Random): string {
  const text = (random.oneIn(8) ? JSON.stringify(value, null, 1) : JSON.stringify(value)) ?? 'null';
  const lists = () => '['.repeat(DEPTH) + ']'.repeat(DEPTH);
  return text.replace(JSON.stringify(DEEP), lists);
}

function* without(value: Json): Generator {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'string' && value.length > 1) {
      yield value.slice(0, value.length >> 1);
      yield value.slice(1);
    }
    return;
  }
  if (Array.isArray(value)) {
    const list: readonly Json[] = value;
    for (let size = list.length >> 1; size > 1; size >>= 1) {
      for (let at = 0; at < list.length; at += size) yield list.toSpliced(at, size);
    }
    for (const at of list.keys()) yield list.toSpliced(at, 1);
    for (const item of list) yield item;
    for (const [at, item] of list.entries()) {
      for (const fewer of without(item)) yield list.with(at, fewer);
    }
    return;
  }
  const entries = Object.entries(value);
  for (const at of entries.keys()) yield ownObject(entries.toSpliced(at, 1));
  for (const [at, [key, item]] of entries.entries()) {
    for (const fewer of without(item)) yield ownObject(entries.with(at, [key, fewer]));
  }
}
