/** JSON Schemas of a request, within the bounds of `@skein/generative`. */
import { FieldError, MAX_SCHEMA } from '@skein/generative';
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
  for (let steps = 0; typeof reference === 'string' && reference.startsWith('#'); steps++) {
    if (steps === MAX_REFERENCES) {
      throw new FieldError(param, `The reference ${quoted(first)} of the schema leads to itself.`);
    }
    const target = resolve(root, reference);
    if (target === undefined) {
      throw new FieldError(param, `The schema has nothing at its reference ${quoted(reference)}.`);
    }
    reference = target['$ref'];
  }
  for (const part of Object.values(value)) checkReferences(part, root, param);
}

/** A JSON Pointer in a fragment (RFC 6901, section 6). */
function resolve(root: Fields, reference: string): Fields | undefined {
  let at: unknown = root;
  for (const step of reference.slice(1).split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Fields)[name];
  }
  return typeof at === 'object' && at !== null ? (at as Fields) : undefined;
}

const quoted = (value: unknown): string => JSON.stringify(String(value).slice(0, 100));
