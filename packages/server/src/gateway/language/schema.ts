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
  checkReferences(schema, schema, param, new Map());
  return schema;
}

/**
 * @param followed how many references follow each other from a schema that is one. Each is resolved
 *   once, however many lead to it: a schema costs its own length.
 */
function checkReferences(
  value: unknown,
  root: Fields,
  param: string,
  followed: Map<object, number>,
): void {
  if (typeof value !== 'object' || value === null) return;
  follow(value, root, param, followed);
  for (const part of Object.values(value)) checkReferences(part, root, param, followed);
}

/** @throws FieldError for a reference that leads nowhere or only to references. */
function follow(first: object, root: Fields, param: string, followed: Map<object, number>): void {
  const path: object[] = [];
  let rest = 0;
  for (let at = first; ;) {
    const { $ref: reference } = at as Fields;
    if (typeof reference !== 'string' || !isPointer(reference)) break;
    const known = followed.get(at);
    if (known !== undefined) {
      rest = known;
      break;
    }
    if (path.push(at) > MAX_REFERENCES) break;
    const target = referredIn(root, reference);
    if (target === undefined) {
      throw new FieldError(param, `The schema has nothing at its reference ${quoted(reference)}.`);
    }
    at = Object(target) as object;
  }
  if (path.length + rest > MAX_REFERENCES) {
    const { $ref } = first as Fields;
    throw new FieldError(param, `The reference ${quoted($ref)} of the schema leads to itself.`);
  }
  for (const [index, each] of path.entries()) followed.set(each, path.length - index + rest);
}

const quoted = (value: unknown): string => JSON.stringify(String(value).slice(0, 100));
