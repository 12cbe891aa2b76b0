/**
 * Compiles a JSON Schema (draft 2020-12) to a grammar whose texts satisfy it. The grammar may be
 * narrower than the schema: keys come in the order of the schema, and none comes that it does not
 * name. A keyword that would be ignored is refused instead, because the answer would break it.
 */
import { SkeinError } from '@skein/api';
import {
  ANY,
  ANY_OBJECT,
  array,
  choice,
  integer,
  INTEGER,
  LARGEST_INTEGER,
  map,
  NUMBER,
  object,
  string,
  text,
  type Sequence,
} from './json-text.ts';

type Schema = Readonly<Record<string, unknown>>;

/** They say nothing about the text. */
const ANNOTATIONS = new Set([
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'format',
  'strict',
]);
/** Of integers; a grammar of bytes cannot compare other numbers. */
const BOUNDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];
const KNOWN = new Set([
  ...BOUNDS,
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'minItems',
  'maxItems',
  'enum',
  'const',
  'anyOf',
  'oneOf',
  '$ref',
  'minLength',
  'maxLength',
]);
/** They name the values themselves. */
const CHOICES = ['$ref', 'const', 'enum', 'anyOf', 'oneOf'];
const MOST_SCHEMAS = 5000;
const DEEPEST = 64;
/** Of a bound on a length: the automaton counts. */
const MOST_COUNT = 10_000;

/** @throws SkeinError GENERATION_UNSUPPORTED with the place and the keyword that cannot be kept. */
export function grammarOfSchema(root: Schema): Sequence {
  let schemas = 0;
  const named = new Map<string, Sequence>();

  function compile(schema: unknown, place: string, depth: number): Sequence {
    if (schema === true || schema === undefined) return [ANY];
    if (!isObject(schema)) throw unsupported(place, 'is not a schema');
    if (++schemas > MOST_SCHEMAS)
      throw unsupported(place, `is one of more than ${MOST_SCHEMAS} schemas`);
    if (depth > DEEPEST) throw unsupported(place, `is nested deeper than ${DEEPEST}`);
    const unknown = Object.keys(schema).find((key) => !KNOWN.has(key) && !ANNOTATIONS.has(key));
    if (unknown !== undefined) {
      const works = [...KNOWN].join(', ');
      const what = `has the keyword ${JSON.stringify(unknown.slice(0, 100))}`;
      throw unsupported(place, what, ` The keywords that it keeps are: ${works}.`);
    }
    const bounded = BOUNDS.find((key) => key in schema);
    const beside = CHOICES.find((key) => key in schema);
    if (bounded !== undefined && beside !== undefined)
      throw unsupported(place, `has ${bounded} beside ${beside}`);
    const { $ref, anyOf, oneOf, type } = schema;
    if (typeof $ref === 'string') return reference($ref, place);
    if ('const' in schema) return literal(schema['const']);
    if (Array.isArray(schema['enum'])) {
      const options = (schema['enum'] as unknown[]).map(literal);
      return [choice(() => options)];
    }
    const alternatives = anyOf ?? oneOf;
    if (Array.isArray(alternatives)) {
      const options = alternatives.map((each, i) =>
        compile(each, `${place}/anyOf/${i}`, depth + 1),
      );
      return [choice(() => options)];
    }
    if (Array.isArray(type)) {
      const options = type.map((each) =>
        compile({ ...schema, type: each as unknown }, place, depth + 1),
      );
      return [choice(() => options)];
    }
    return ofType(schema, type ?? impliedType(schema), place, depth);
  }

  function ofType(schema: Schema, type: unknown, place: string, depth: number): Sequence {
    const bound = (key: string, otherwise: number): number => {
      const value = schema[key];
      if (value === undefined) return otherwise;
      if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MOST_COUNT)
        return Number(value);
      throw unsupported(place, `has a ${key} that is not a count up to ${MOST_COUNT}`);
    };
    switch (type) {
      case 'string':
        return string(bound('minLength', 0), bound('maxLength', Infinity));
      case 'integer':
        return ofInteger(schema, place);
      case 'number':
        refuseBounds(schema, place);
        return NUMBER;
      case 'boolean':
        return [choice(() => [text('true'), text('false')])];
      case 'null':
        return text('null');
      case 'array':
        return array(
          compile(schema['items'], `${place}/items`, depth + 1),
          bound('minItems', 0),
          bound('maxItems', Infinity),
        );
      case 'object':
        return ofObject(schema, place, depth);
      case undefined:
        refuseBounds(schema, place);
        return [ANY];
      default:
        throw unsupported(place, `has the type ${JSON.stringify(type)}`);
    }
  }

  function ofObject(schema: Schema, place: string, depth: number): Sequence {
    const properties = isObject(schema['properties']) ? schema['properties'] : {};
    const required = new Set(
      Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : [],
    );
    const names = [...new Set([...Object.keys(properties), ...required])] as string[];
    const more = schema['additionalProperties'];
    if (names.length === 0 && more !== false) {
      return more === undefined
        ? ANY_OBJECT
        : map(compile(more, `${place}/additionalProperties`, depth + 1));
    }
    return object(
      names.map((name) => ({
        name,
        value: compile(properties[name], `${place}/properties/${name}`, depth + 1),
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
    let target: unknown = root;
    for (const step of pointer.slice(1).split('/').slice(1)) {
      const key = decoded(step).replaceAll('~1', '/').replaceAll('~0', '~');
      target = isObject(target) && Object.hasOwn(target, key) ? target[key] : undefined;
    }
    if (target === undefined)
      throw unsupported(place, `refers to ${JSON.stringify(pointer)}, which is not there`);
    let body: Sequence | undefined;
    const rule: Sequence = [choice(() => [body!])];
    named.set(pointer, rule);
    body = compile(target, pointer, 0);
    return rule;
  }

  return compile(root, '#', 0);
}

/** @throws SkeinError GENERATION_UNSUPPORTED for numbers that are not said to be integers. */
function refuseBounds(schema: Schema, place: string): void {
  const key = BOUNDS.find((each) => each in schema);
  if (key === undefined) return;
  throw unsupported(place, `has ${key} without the type "integer"`);
}

function ofInteger(schema: Schema, place: string): Sequence {
  const [minimum, maximum, above, below] = BOUNDS.map((key) => {
    const value = schema[key];
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
    throw unsupported(place, `has a ${key} that is not a number`);
  });
  if ([minimum, maximum, above, below].every((value) => value === undefined)) return INTEGER;
  const least = Math.max(
    -LARGEST_INTEGER,
    Math.ceil(minimum ?? -Infinity),
    Math.floor(above ?? -Infinity) + 1,
  );
  const most = Math.min(
    LARGEST_INTEGER,
    Math.floor(maximum ?? Infinity),
    Math.ceil(below ?? Infinity) - 1,
  );
  if (least <= most) return integer(least, most);
  throw unsupported(place, 'has bounds between which no integer of 15 digits lies');
}

function impliedType(schema: Schema): string | undefined {
  if ('properties' in schema || 'required' in schema || 'additionalProperties' in schema)
    return 'object';
  return 'items' in schema ? 'array' : undefined;
}

/** As a fragment of a URL has it (RFC 6901, section 6); what is no escape stands for itself. */
function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

const literal = (value: unknown): Sequence => text(JSON.stringify(value));
const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function unsupported(place: string, what: string, more = ''): SkeinError {
  return new SkeinError(
    'GENERATION_UNSUPPORTED',
    `The schema at ${place} ${what}, which a local model cannot keep.${more}`,
  );
}
