/**
 * Schemas of Gemini's API as JSON Schema: OpenAPI 3.0's, with types in capitals, counts as
 * strings, `nullable`, and the order of properties.
 */
import { camelCased, type Extra } from '@skein/generative';

type Schema = Readonly<Record<string, unknown>>;

const COUNTS = ['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties'];
/** They do not constrain the text, or are written in another way. */
const LEFT_OUT = ['nullable', 'propertyOrdering', 'example'];

export function jsonSchemaOf(given: Extra): Extra {
  const schema = camelCased(given);
  const { type, format, properties, propertyOrdering, items, anyOf, nullable } = schema;
  const result: Record<string, unknown> = { ...schema };
  for (const name of LEFT_OUT) delete result[name];
  for (const name of COUNTS) {
    const value = schema[name];
    if (typeof value === 'string' && /^\d{1,9}$/.test(value)) result[name] = Number(value);
  }
  if (typeof type === 'string') result['type'] = type.toLowerCase();
  if (type === 'TYPE_UNSPECIFIED') delete result['type'];
  // The schema of a string with a list of values.
  if (format === 'enum') delete result['format'];
  if (isSchema(properties)) result['properties'] = ordered(properties, propertyOrdering);
  if (isSchema(items)) result['items'] = jsonSchemaOf(items);
  if (Array.isArray(anyOf)) result['anyOf'] = anyOf.map(each);
  if (isSchema(schema['additionalProperties'])) {
    result['additionalProperties'] = jsonSchemaOf(schema['additionalProperties']);
  }
  for (const name of ['defs', '$defs']) {
    const defs = schema[name];
    if (isSchema(defs)) result[name] = mapped(defs);
  }
  return nullable === true ? orNull(result) : result;
}

const each = (value: unknown): unknown => (isSchema(value) ? jsonSchemaOf(value) : value);
const mapped = (schemas: Schema): Extra =>
  Object.fromEntries(Object.entries(schemas).map(([name, value]) => [name, each(value)]));

/** The answer has its keys in this order; those that the order does not name come last. */
function ordered(properties: Schema, order: unknown): Extra {
  const names = Array.isArray(order) ? order.filter((name) => typeof name === 'string') : [];
  const first = names.filter((name) => Object.hasOwn(properties, name));
  const all = new Set([...first, ...Object.keys(properties)]);
  return Object.fromEntries([...all].map((name) => [name, each(properties[name])]));
}

function orNull(schema: Record<string, unknown>): Extra {
  const { type, enum: values, anyOf } = schema;
  if (Array.isArray(anyOf))
    return { ...schema, anyOf: [...(anyOf as unknown[]), { type: 'null' }] };
  return {
    ...schema,
    ...(typeof type === 'string' ? { type: [type, 'null'] } : {}),
    ...(Array.isArray(values) ? { enum: [...(values as unknown[]), null] } : {}),
  };
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
