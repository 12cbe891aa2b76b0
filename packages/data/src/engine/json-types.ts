/**
 * Types that hold the values of all shards of JSON lines. DuckDB finds the types of each shard by its own
 * rows: without common types a key that is `1` in one shard and `1.0` in another has two hashes, and
 * a column that a shard lacks is unknown there.
 */

/** The type of a column, or of a part of one, without a value in the shard: any other type holds it. */
export const NO_VALUE = '"NULL"';
/** Holds any value, as it is written. */
const ANY = 'JSON';

const NUMBERS: ReadonlySet<string> = new Set(['BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE']);

type Type =
  | { readonly kind: 'scalar'; readonly name: string }
  | { readonly kind: 'list'; readonly of: Type }
  | { readonly kind: 'map'; readonly of: Type }
  | { readonly kind: 'struct'; readonly fields: ReadonlyMap<string, Type> };

/** @param shards DuckDB types by column, of each shard; the columns keep the order in which they appear. */
export function commonColumns(
  shards: readonly Readonly<Record<string, string>>[],
): Record<string, string> {
  const found = new Map<string, string>();
  for (const shard of shards) {
    for (const [name, type] of Object.entries(shard)) {
      const before = found.get(name) ?? NO_VALUE;
      found.set(name, before === type ? type : written(common(parsed(before), parsed(type))));
    }
  }
  return Object.fromEntries([...found].map(([name, type]) => [name, written(parsed(type), ANY)]));
}

function common(one: Type, other: Type): Type {
  if (isScalar(one, NO_VALUE)) return other;
  if (isScalar(other, NO_VALUE)) return one;
  if (one.kind === 'scalar' && other.kind === 'scalar') return scalar(named(one.name, other.name));
  if (one.kind === 'list' && other.kind === 'list') {
    return { kind: 'list', of: part(one.of, other.of) };
  }
  if (one.kind === 'map' && other.kind === 'map') {
    return { kind: 'map', of: part(one.of, other.of) };
  }
  if (one.kind === 'struct' && other.kind === 'struct') {
    const fields = new Map(one.fields);
    for (const [name, type] of other.fields) fields.set(name, part(fields.get(name) ?? type, type));
    for (const [name, type] of fields) fields.set(name, part(type, type));
    return { kind: 'struct', fields };
  }
  return scalar(ANY);
}

/** The type of a value that is read again with it: DuckDB then leaves out the zone of a time. */
function part(one: Type, other: Type): Type {
  if (one.kind !== 'scalar' || other.kind !== 'scalar') return common(one, other);
  const name = named(one.name, other.name);
  return scalar(name === 'TIMESTAMP' ? 'VARCHAR' : name);
}

function named(one: string, other: string): string {
  if (one === other) return one;
  if (one === NO_VALUE) return other;
  if (other === NO_VALUE) return one;
  if (NUMBERS.has(one) && NUMBERS.has(other)) {
    return one === 'DOUBLE' || other === 'DOUBLE' ? 'DOUBLE' : 'HUGEINT';
  }
  return isText(one) && isText(other) ? 'VARCHAR' : ANY;
}

/** Dates, times and other values that JSON has as strings. */
function isText(name: string): boolean {
  return !NUMBERS.has(name) && name !== 'BOOLEAN' && name !== ANY;
}

const scalar = (name: string): Type => ({ kind: 'scalar', name });

function isScalar(type: Type, name: string): boolean {
  return type.kind === 'scalar' && type.name === name;
}

/** @param noValue what is written where no shard has a value. */
function written(type: Type, noValue: string = NO_VALUE): string {
  switch (type.kind) {
    case 'scalar':
      return type.name === NO_VALUE ? noValue : type.name;
    case 'list':
      return `${written(type.of, noValue)}[]`;
    case 'map':
      return `MAP(VARCHAR, ${written(type.of, noValue)})`;
    case 'struct': {
      const fields = [...type.fields].map(([name, of]) => `${name} ${written(of, noValue)}`);
      return `STRUCT(${fields.join(', ')})`;
    }
  }
}

/** Reads a type as DESCRIBE writes the types of JSON, such as `STRUCT(a BIGINT, "b c" VARCHAR[])`. */
function parsed(text: string): Type {
  let rest = text;
  const take = (pattern: RegExp): string => {
    const found = pattern.exec(rest)?.[0];
    if (found === undefined) throw new Error(`DuckDB has a type that is not known here: ${text}`);
    rest = rest.slice(found.length);
    return found;
  };
  const next = (): Type => {
    let type: Type;
    if (rest.startsWith('STRUCT(')) {
      take(/^STRUCT/);
      const fields = new Map<string, Type>();
      while (take(/^\(|^, |^\)/) !== ')') {
        // Quoted or not, the same in both: it is written again in the same way.
        const name = take(/^"(?:[^"]|"")*"|^[^\s"(),]+/);
        take(/^ /);
        fields.set(name, next());
      }
      type = { kind: 'struct', fields };
    } else if (rest.startsWith('MAP(')) {
      take(/^MAP\(VARCHAR, /);
      type = { kind: 'map', of: next() };
      take(/^\)/);
    } else {
      type = scalar(take(/^"NULL"|^[A-Z][A-Z0-9_ ]*(?:\(\d+(?:,\d+)?\))?/));
    }
    while (rest.startsWith('[]')) {
      take(/^\[\]/);
      type = { kind: 'list', of: type };
    }
    return type;
  };
  return next();
}
