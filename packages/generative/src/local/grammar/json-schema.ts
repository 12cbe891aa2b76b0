/**
 * Compiles a JSON Schema (draft 2020-12) to a grammar whose texts satisfy it. The grammar may be
 * narrower than the schema: keys come in the order of the schema, and none comes that it does not
 * name. A keyword that would be ignored is refused instead, because the answer would break it; so
 * are alternatives of `oneOf` that one answer may fit.
 */
import { SkeinError } from '@skein/api';
import { referredIn } from '../../schema-reference.ts';
import { namesOf } from '../../wire/json.ts';
import { overlapping } from './exclusive.ts';
import { FORMATS, formatOf } from './formats.ts';
import {
  ANY,
  ANY_OBJECT,
  array,
  choice,
  DIGITS,
  INTEGER,
  map,
  NUMBER,
  object,
  string,
  text,
  type Sequence,
} from './json-text.ts';
import { inUnits, numbersWithin, placesOf } from './number-range.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Keywords that do not constrain the text. */
const ANNOTATIONS = namesOf(`
  $schema $id $comment $defs definitions title description default examples deprecated readOnly
  writeOnly strict
`);
const BOUNDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'];
const KNOWN = new Set([
  ...BOUNDS,
  ...namesOf(`
    type properties required additionalProperties items minItems maxItems enum const anyOf oneOf $ref
    minLength maxLength format
  `),
]);
/** They name the values themselves. */
const CHOICES = ['$ref', 'const', 'enum', 'anyOf', 'oneOf'];
const MOST_SCHEMAS = 5000;
const DEEPEST = 64;
/** Largest bound on a length: the automaton counts. */
const MOST_COUNT = 10_000;

/** How many schemas may still be compiled: the tools of a request share it. */
export interface SchemaBudget {
  left: number;
}
export const schemaBudget = (): SchemaBudget => ({ left: MOST_SCHEMAS });

/**
 * @param from where the schema is, as errors name it. References in it begin there.
 * @throws SkeinError GENERATION_UNSUPPORTED with the place and the keyword that cannot be kept.
 */
export function grammarOfSchema(root: Schema, from = '#', budget = schemaBudget()): Sequence {
  const named = new Map<string, Sequence>();

  function compile(schema: unknown, place: string, depth: number): Sequence {
    if (schema === true || schema === undefined) return [ANY];
    if (!isObject(schema)) throw unsupported(place, 'is not a schema');
    if (--budget.left < 0) throw unsupported(place, `is one of more than ${MOST_SCHEMAS} schemas`);
    if (depth > DEEPEST) throw unsupported(place, `is nested deeper than ${DEEPEST}`);
    const unknown = Object.keys(schema).find((key) => !KNOWN.has(key) && !ANNOTATIONS.has(key));
    if (unknown !== undefined) {
      const works = [...KNOWN].join(', ');
      const what = `has the keyword ${quoted(unknown)}`;
      throw unsupported(place, what, ` The keywords that it keeps are: ${works}.`);
    }
    const key = CHOICES.find((each) => each in schema);
    if (key !== undefined) return ofChoice(schema, key, place, depth);
    const { type } = schema;
    if (Array.isArray(type)) {
      const listed = type.find((each) => typeof each !== 'string') as unknown;
      if (listed !== undefined) throw unsupported(place, `lists the type ${quoted(listed)}`);
      // Each once: alternatives that are alike cost as many stacks for every byte.
      const options = [...new Set(type)].map((each: unknown) =>
        compile({ ...schema, type: each }, place, depth + 1),
      );
      return oneOf(options, place);
    }
    return ofType(schema, type ?? impliedType(schema), place, depth);
  }

  /** @param key one of `CHOICES`. Only `type` may stand next to it, and nothing next to `$ref`. */
  function ofChoice(schema: Schema, key: string, place: string, depth: number): Sequence {
    const { [key]: value, type } = schema;
    const neighbour = Object.keys(schema).find(
      (other) => KNOWN.has(other) && other !== key && (other !== 'type' || key === '$ref'),
    );
    if (neighbour !== undefined) throw unsupported(place, `has ${neighbour} next to ${key}`);
    if (key === 'const') return oneOf([value].filter(isOf(type)).map(literal), place);
    if (key === '$ref') {
      if (typeof value === 'string') return reference(value, place);
      throw unsupported(place, 'has a $ref that is not a string');
    }
    if (!Array.isArray(value)) throw unsupported(place, `has ${key} that is not a list`);
    if (key === 'enum') return oneOf(value.filter(isOf(type)).map(literal), place);
    const alternatives = value.map((each: unknown) => ofTypes(type, each));
    const options = alternatives.map((each, i) => compile(each, `${place}/${key}/${i}`, depth + 1));
    // After the alternatives themselves, whose own errors come first.
    if (key === 'oneOf') assertExclusive(alternatives, place);
    return oneOf(options, place);
  }

  function assertExclusive(alternatives: readonly unknown[], place: string): void {
    const both = overlapping(alternatives, (pointer) => referredIn(root, pointer));
    if (both === undefined) return;
    throw unsupported(
      place,
      `has oneOf with alternatives that one answer may fit, ${both.join(' and ')}`,
      ' Write anyOf where that is allowed; else give each a required property with a const of its own.',
    );
  }

  function ofType(schema: Schema, type: unknown, place: string, depth: number): Sequence {
    const bound = (key: string, otherwise: number): number => {
      const value = schema[key];
      if (value === undefined) return otherwise;
      if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MOST_COUNT)
        return Number(value);
      throw unsupported(place, `has a ${key} that is not a count up to ${MOST_COUNT}`);
    };
    const bounds = (least: string, most: string): [number, number] => {
      const [from, to] = [bound(least, 0), bound(most, Infinity)];
      if (from > to) throw unsupported(place, `has a ${least} above its ${most}`);
      return [from, to];
    };
    switch (type) {
      case 'string':
        return ofString(schema, ...bounds('minLength', 'maxLength'), place);
      case 'integer':
      case 'number':
        return ofNumber(schema, type, place);
      case 'boolean':
        return [choice(() => [text('true'), text('false')])];
      case 'null':
        return text('null');
      case 'array':
        return array(
          compile(schema['items'], `${place}/items`, depth + 1),
          ...bounds('minItems', 'maxItems'),
        );
      case 'object':
        return ofObject(schema, place, depth);
      case undefined:
        refuseUntyped(schema, place);
        return [ANY];
      default:
        throw unsupported(place, `has the type ${JSON.stringify(type)}`);
    }
  }

  function ofObject(schema: Schema, place: string, depth: number): Sequence {
    const { properties = {}, required: listed = [], additionalProperties: more } = schema;
    if (!isObject(properties)) throw unsupported(place, 'has properties that are not an object');
    if (!Array.isArray(listed)) throw unsupported(place, 'has required that is not a list');
    const nameless = listed.find((name) => typeof name !== 'string') as unknown;
    if (nameless !== undefined)
      throw unsupported(place, `requires ${quoted(nameless)}, which is no name`);
    const required = new Set(listed as string[]);
    const names = [...new Set([...Object.keys(properties), ...required])];
    const absent = names.find((name) => !Object.hasOwn(properties, name));
    if (more === false && absent !== undefined)
      throw unsupported(place, `requires ${quoted(absent)}, which its properties do not have`);
    if (names.length === 0 && more !== false) {
      return more === undefined
        ? ANY_OBJECT
        : map(compile(more, `${place}/additionalProperties`, depth + 1));
    }
    return object(
      names.map((name) => ({
        name,
        value: compile(
          Object.hasOwn(properties, name) ? properties[name] : more,
          `${place}/properties/${name}`,
          depth + 1,
        ),
        required: required.has(name),
      })),
    );
  }

  /** A rule that may contain itself. */
  function reference(pointer: string, place: string): Sequence {
    const known = named.get(pointer);
    if (known !== undefined) return known;
    if (!pointer.startsWith('#'))
      throw unsupported(place, `refers to ${JSON.stringify(pointer)}, outside of it`);
    const target = referredIn(root, pointer);
    if (target === undefined)
      throw unsupported(place, `refers to ${JSON.stringify(pointer)}, which is not there`);
    let body: Sequence | undefined;
    const rule: Sequence = [choice(() => [body!])];
    named.set(pointer, rule);
    body = compile(target, from + pointer.slice(1), 0);
    return rule;
  }

  return compile(root, from, 0);
}

/** @throws SkeinError GENERATION_UNSUPPORTED when no value is left. */
function oneOf(options: readonly Sequence[], place: string): Sequence {
  if (options.length === 0) throw unsupported(place, 'allows no value');
  return [choice(() => options)];
}

/** An alternative that also has the types next to `anyOf`. */
function ofTypes(types: unknown, alternative: unknown): unknown {
  if (types === undefined) return alternative;
  if (alternative === true) return { type: types };
  if (!isObject(alternative)) return alternative;
  const { type: own } = alternative;
  if (own === undefined) return { ...alternative, type: types };
  const both = listOf(own).flatMap((each) => {
    if (listOf(types).includes(each)) return [each];
    if (each === 'integer' && listOf(types).includes('number')) return ['integer'];
    return each === 'number' && listOf(types).includes('integer') ? ['integer'] : [];
  });
  return { ...alternative, type: both };
}

const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? (value as unknown[]) : [value];

/** Whether a value has one of these types; any has where there are none. */
function isOf(types: unknown): (value: unknown) => boolean {
  return (value) => {
    if (types === undefined) return true;
    const own = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
    const isInteger = Number.isInteger(value) && listOf(types).includes('integer');
    return isInteger || listOf(types).includes(own);
  };
}

/** @throws SkeinError GENERATION_UNSUPPORTED for a bound without a numeric type, or a format without a type. */
function refuseUntyped(schema: Schema, place: string): void {
  const key = BOUNDS.find((each) => each in schema);
  if (key !== undefined)
    throw unsupported(place, `has ${key} without the type "integer" or "number"`);
  if ('format' in schema) throw unsupported(place, 'has a format without a type');
}

function ofString({ format: name }: Schema, least: number, most: number, place: string): Sequence {
  if (name === undefined) return string(least, most);
  const format = typeof name === 'string' ? formatOf(name) : undefined;
  if (format === undefined) throw unknownFormat(name, FORMATS, place);
  if (least > format.least || most < format.most) {
    const lengths = `${format.least} to ${format.most} characters`;
    throw unsupported(place, `bounds the length of the format ${quoted(name)}, of ${lengths},`);
  }
  return [...text('"'), ...format.text, ...text('"')];
}

function unknownFormat(name: unknown, known: readonly unknown[], place: string): SkeinError {
  const works = ` The formats that it keeps there are: ${known.join(', ')}.`;
  return unsupported(place, `has the format ${quoted(name)}`, works);
}

/** OpenAPI's formats of numbers. Every number of 15 digits keeps the last three. */
const NUMBER_FORMATS: readonly unknown[] = ['int32', 'int64', 'float', 'double'];
const INT32 = { least: -(2 ** 31), most: 2 ** 31 - 1 };

/** Digits before the point that a number may have which is not bounded on both sides. */
const WHOLE_DIGITS = 9;

function ofNumber(schema: Schema, type: 'integer' | 'number', place: string): Sequence {
  const { format } = schema;
  if (format !== undefined && !NUMBER_FORMATS.includes(format))
    throw unknownFormat(format, NUMBER_FORMATS, place);
  let [minimum, maximum, above, below, step] = BOUNDS.map((key) => {
    const value = schema[key];
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
    throw unsupported(place, `has a ${key} that is not a number`);
  });
  if (format === 'int32') {
    minimum = Math.max(INT32.least, minimum ?? -Infinity);
    maximum = Math.min(INT32.most, maximum ?? Infinity);
  }
  const ends = [minimum, above, maximum, below].filter((value) => value !== undefined);
  // An exponent may be too large for a float.
  if (ends.length === 0 && step === undefined && format !== 'float')
    return type === 'integer' ? INTEGER : NUMBER;
  if (step !== undefined && step <= 0)
    throw unsupported(place, 'has a multipleOf that is not above 0');

  const isBounded = (minimum ?? above) !== undefined && (maximum ?? below) !== undefined;
  const whole = Math.max(
    isBounded ? 1 : WHOLE_DIGITS,
    ...ends.map((value) => Math.min(DIGITS, String(Math.trunc(Math.abs(value))).length)),
  );
  const stepPlaces = step === undefined ? DIGITS - whole : placesOf(step);
  const places = type === 'integer' ? 0 : stepPlaces;
  const units = unitsOf(step, places);
  if (places >= DIGITS || units >= 10n ** BigInt(DIGITS - 1)) {
    throw unsupported(place, `has a multipleOf of more than ${DIGITS - 1} digits`);
  }
  const largest = 10n ** BigInt(DIGITS) - 1n;
  const least = [
    -largest,
    ...(minimum === undefined ? [] : [inUnits(minimum, places, 'up')]),
    ...(above === undefined ? [] : [inUnits(above, places, 'down') + 1n]),
  ].reduce((a, b) => (a > b ? a : b));
  const most = [
    largest,
    ...(maximum === undefined ? [] : [inUnits(maximum, places, 'down')]),
    ...(below === undefined ? [] : [inUnits(below, places, 'up') - 1n]),
  ].reduce((a, b) => (a < b ? a : b));
  const range = { least: Number(least), most: Number(most), places, step: Number(units) };
  const numbers = least <= most ? numbersWithin(range) : undefined;
  if (numbers !== undefined) return numbers;
  throw unsupported(place, `has bounds between which no ${type} of ${DIGITS} digits lies`);
}

/** A step in units: the least common multiple of both, where it is finer than a unit. */
function unitsOf(step: number | undefined, places: number): bigint {
  if (step === undefined) return 1n;
  const finer = Math.max(places, placesOf(step));
  const unit = 10n ** BigInt(finer - places);
  const units = inUnits(step, finer, 'down');
  return units / divisorOf(units, unit);
}

/** The greatest common one. */
function divisorOf(a: bigint, b: bigint): bigint {
  return b === 0n ? a : divisorOf(b, a % b);
}

function impliedType(schema: Schema): string | undefined {
  if ('properties' in schema || 'required' in schema || 'additionalProperties' in schema)
    return 'object';
  if ('items' in schema || 'minItems' in schema || 'maxItems' in schema) return 'array';
  return 'minLength' in schema || 'maxLength' in schema ? 'string' : undefined;
}

const quoted = (value: unknown): string => JSON.stringify(value).slice(0, 100);
const literal = (value: unknown): Sequence => text(JSON.stringify(value));
const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function unsupported(place: string, what: string, more = ''): SkeinError {
  return new SkeinError(
    'GENERATION_UNSUPPORTED',
    `The schema at ${place} ${what}, which a local model cannot keep.${more}`,
  );
}
