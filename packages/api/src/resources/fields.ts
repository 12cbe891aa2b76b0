/** JSON Schemas as tables for a reader: one row per field, nested objects in dotted names. */
import { refName, type JsonSchema } from '../documents/json-schema.ts';

export interface Field {
  /** For example `objective.latencyMs` or `latencies[].rows`. */
  readonly name: string;
  /** For example `integer 1–256`, `"cpu" | "cuda"` or `Deployment[]`. */
  readonly type: string;
  readonly required: boolean;
  /** JSON text. */
  readonly default?: string;
  readonly description: string;
}

/** The rows of an object, or of each member of a union. */
export function variantsOf(schema: JsonSchema): Field[][] {
  const members = schema.oneOf ?? schema.anyOf;
  return members === undefined ? [fieldsOf(schema, '')] : members.flatMap(variantsOf);
}

function fieldsOf(schema: JsonSchema, prefix: string): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const name = prefix + key;
    // A nullable object has the fields of its object member.
    const object = property.anyOf?.find((member) => member.properties !== undefined) ?? property;
    const row: Field = {
      name,
      type: typeText(property),
      required: schema.required?.includes(key) ?? false,
      description: property.description ?? object.description ?? '',
      ...(property.default === undefined ? {} : { default: JSON.stringify(property.default) }),
    };
    return [row, ...fieldsOf(object, `${name}.`), ...fieldsOf(property.items ?? {}, `${name}[].`)];
  });
}

/** One line that describes the possible values. */
export function typeText(schema: JsonSchema): string {
  if (schema.$ref !== undefined) return refName(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((v) => JSON.stringify(v)).join(' | ');
  const members = schema.anyOf ?? schema.oneOf;
  if (members !== undefined) return members.map(typeText).join(' | ');
  if (Array.isArray(schema.type)) {
    return schema.type.map((type) => typeText({ ...schema, type })).join(' | ');
  }
  switch (schema.type) {
    case 'array': {
      const item = typeText(schema.items ?? {});
      const items = item.includes(' ') ? `(${item})[]` : `${item}[]`;
      return items + range(schema.minItems, schema.maxItems, ' of ');
    }
    case 'object':
      return typeof schema.additionalProperties === 'object'
        ? `map of ${typeText(schema.additionalProperties)}`
        : 'object';
    case 'integer':
    case 'number':
      return schema.type + numberRange(schema);
    case 'string':
      return schema.type + range(schema.minLength, schema.maxLength, ' of length ');
    default:
      return schema.type ?? 'any';
  }
}

function range(min: number | undefined, max: number | undefined, before: string): string {
  if (max === undefined) return '';
  return `${before}${min ?? 0}–${max}`;
}

function numberRange(schema: JsonSchema): string {
  const low =
    schema.exclusiveMinimum === undefined ? schema.minimum : `>${schema.exclusiveMinimum}`;
  const high =
    schema.exclusiveMaximum === undefined ? schema.maximum : `<${schema.exclusiveMaximum}`;
  if (low === undefined && high === undefined) return '';
  if (typeof low === 'number' && typeof high === 'number') return ` ${low}–${high}`;
  const lower = typeof low === 'number' ? `≥${low}` : low;
  const upper = typeof high === 'number' ? `≤${high}` : high;
  return ` ${[lower, upper].filter((bound) => bound !== undefined).join(', ')}`;
}
