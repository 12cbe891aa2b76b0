/** Explains why a value is invalid, naming the field. */
import type { z } from 'zod';
import { SkeinError } from './errors.ts';

/** Problems that one message reports; further ones are only counted. */
const REPORTED = 3;
/** Characters of a field's name, or of a value, that a message repeats. */
const LONGEST = 80;

/**
 * Checks a part of a request against its schema.
 * @param place the part of the request, for the message: `body`, `query`, `path`.
 * @throws SkeinError REQUEST_INVALID naming the fields.
 */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  place: string,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues;
  const reported = issues
    .slice(0, REPORTED)
    .map((issue) => describeIssue(issue, place, schema, value));
  const more = issues.length > REPORTED ? ` And ${issues.length - REPORTED} more.` : '';
  throw new SkeinError('REQUEST_INVALID', reported.join(' ') + more);
}

/**
 * Refuses fields that nothing would read, such as a misspelt option.
 * @param known has every field's name as a key.
 * @throws SkeinError REQUEST_INVALID naming them.
 */
export function refuseUnknown(given: object, known: object, place: string): void {
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(known, key));
  if (unknown.length === 0) return;
  throw new SkeinError('REQUEST_INVALID', unknownFields(place, [], unknown, Object.keys(known)));
}

function unknownFields(
  place: string,
  path: readonly PropertyKey[],
  unknown: readonly string[],
  known: readonly string[],
): string {
  const reported = unknown.slice(0, REPORTED).map((key) => `"${fieldName([...path, key])}"`);
  const keys = reported.join(', ') + (unknown.length > REPORTED ? ', …' : '');
  const hint = known.length === 0 ? '' : `; known are ${known.join(', ')}`;
  return `The ${place} has no field ${keys}${hint}.`;
}

function describeIssue(
  issue: z.core.$ZodIssue,
  place: string,
  schema: z.ZodType,
  value: unknown,
): string {
  const field = fieldName(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return unknownFields(place, issue.path, issue.keys, knownKeys(schema, issue.path));
  }
  const subject = field === '' ? `The ${place}` : `The field "${field}" of the ${place}`;
  if (issue.code === 'invalid_type' && valueAt(value, issue.path) === undefined) {
    return `${subject} is missing (expected ${issue.expected}).`;
  }
  const reason = issue.message.replace(/^Invalid (input|option|string|number): /, '');
  return `${subject} is invalid: ${reason}${shown(valueAt(value, issue.path))}.`;
}

function fieldName(path: readonly PropertyKey[]): string {
  let name = '';
  for (const key of path) {
    if (typeof key === 'number') name += `[${key}]`;
    else name += name === '' ? String(key) : `.${String(key)}`;
  }
  return name.length <= LONGEST ? name : `${name.slice(0, LONGEST)}…`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}

/** A short scalar is repeated back; anything longer is not echoed. */
function shown(value: unknown): string {
  if (typeof value === 'string')
    return value.length <= LONGEST ? `, got ${JSON.stringify(value)}` : '';
  return typeof value === 'number' || typeof value === 'boolean' ? `, got ${value}` : '';
}

interface Wrapped {
  readonly shape?: Record<string, z.ZodType>;
  readonly element?: z.ZodType;
  readonly unwrap?: () => z.ZodType;
}

/** The keys of the object schema at `path`, through optional and default wrappers. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: Wrapped | undefined = schema as Wrapped;
  const rest = [...path];
  while (at !== undefined) {
    if (at.shape !== undefined) {
      if (rest.length === 0) return Object.keys(at.shape);
      at = at.shape[String(rest.shift())] as Wrapped | undefined;
    } else if (at.element !== undefined && typeof rest[0] === 'number') {
      rest.shift();
      at = at.element as Wrapped;
    } else {
      at = at.unwrap?.() as Wrapped | undefined;
    }
  }
  return [];
}
