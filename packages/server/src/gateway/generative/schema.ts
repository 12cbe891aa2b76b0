/** JSON Schemas of a request, within the bounds of `@skein/generative`. */
import { FieldError, isPointer, MAX_SCHEMA, referredIn } from '@skein/generative';
import { type Fields, objectAt } from './fields.ts';

/** References that follow each other without a keyword between them. */
const MAX_REFERENCES = 16;

/**
 * A JSON Schema within bounds, in which every reference leads to a schema. One that only leads back
 * to itself describes nothing, and would never end.
 */
export function schemaAt(value: unknown, param: string): Fields {
  const schema = objectAt(value, param);
  const { length } = JSON.stringify(schema);
  if (length > MAX_SCHEMA) {
    const message = `The schema has ${length} characters; at most ${MAX_SCHEMA} are taken.`;
    throw new FieldError(param, message);
  }
  checkReferences(schema, schema, param);
  return schema;
}

function checkReferences(value: unknown, root: Fields, param: string): void {
  if (typeof value !== 'object' || value === null) return;
  const { $ref: first } = value as Fields;
  let reference: unknown = first;
  for (let steps = 0; typeof reference === 'string' && isPointer(reference); steps++) {
    if (steps === MAX_REFERENCES) {
      throw new FieldError(param, `The reference ${quoted(first)} of the schema leads to itself.`);
    }
    const target = referredIn(root, reference);
    if (target === undefined) {
      throw new FieldError(param, `The schema has nothing at its reference ${quoted(reference)}.`);
    }
    reference = (Object(target) as Fields)['$ref'];
  }
  for (const part of Object.values(value)) checkReferences(part, root, param);
}

const quoted = (value: unknown): string => JSON.stringify(String(value).slice(0, 100));
