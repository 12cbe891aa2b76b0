/**
 * Reads the fields of a request to a language model. Each refusal names the field in the words of the
 * client, such as `messages[2].content`, because OpenAI's errors have a place for it.
 */
import { FieldError } from '@skein/generative';
import { brief } from '../brief.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Absent and null are the same to every client of these protocols. */
export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value);
}

/**
 * Reads the optional fields of an object by their names.
 * @param inside where the object is, with its dot.
 */
export function fieldsIn(fields: Fields, inside = '') {
  const read = <T>(name: string, as: (value: unknown, param: string) => T): T | undefined =>
    optional(fields[name], (value) => as(value, inside + name));
  return {
    read,
    has: (name: string): boolean => read(name, () => true) ?? false,
    flag: (name: string) => read(name, flagAt),
    object: (name: string) => read(name, objectAt),
    text: (name: string, max?: number) => read(name, (value, param) => textAt(value, param, max)),
    number: (name: string, min: number, max: number) =>
      read(name, (value, param) => numberAt(value, param, min, max)),
    whole: (name: string, min: number, max: number) =>
      read(name, (value, param) => wholeAt(value, param, min, max)),
    oneOf: <const C extends string>(name: string, choices: readonly C[]) =>
      read(name, (value, param) => oneOf(value, param, choices)),
  };
}

export function objectAt(value: unknown, param: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrong(param, 'an object', value);
}

export function listAt(value: unknown, param: string, max: number): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(param, 'a list', value);
  if (value.length <= max) return value as readonly unknown[];
  throw new FieldError(param, `"${param}" has ${value.length} elements; at most ${max} are taken.`);
}

/** @param max characters. */
export function textAt(value: unknown, param: string, max = Infinity): string {
  if (typeof value !== 'string') throw wrong(param, 'a string', value);
  if (value.length > max) {
    const message = `"${param}" has ${value.length} characters; at most ${max} are taken.`;
    throw new FieldError(param, message);
  }
  if (value.isWellFormed()) return value;
  throw new FieldError(param, `"${param}" contains half of a surrogate pair, which has no UTF-8.`);
}

/** Searches for the first other character: a pattern of the whole text would try each of its ends. */
export function isBase64(text: string): boolean {
  const end = text.search(/[^A-Za-z0-9+/]/);
  return end === -1 ? text !== '' : end > 0 && /^={1,2}$/.test(text.slice(end, end + 3));
}

export function numberAt(value: unknown, param: string, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw wrong(param, `a number from ${min} to ${max}`, value);
}

export function wholeAt(value: unknown, param: string, min: number, max: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number;
  }
  throw wrong(param, `a whole number from ${min} to ${max}`, value);
}

export function flagAt(value: unknown, param: string): boolean {
  if (typeof value === 'boolean') return value;
  throw wrong(param, 'true or false', value);
}

export function oneOf<const C extends string>(
  value: unknown,
  param: string,
  choices: readonly C[],
): C {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw wrong(param, `one of ${choices.map((choice) => `"${choice}"`).join(', ')}`, value);
}

export function wrong(param: string, what: string, value: unknown): FieldError {
  return new FieldError(param, `"${param}" must be ${what}, but it is ${brief(value)}.`);
}

/** Refuses fields that mean something at another endpoint, each with what to use instead. */
export function refuseFields(fields: Fields, instead: Readonly<Record<string, string>>): void {
  for (const [name, words] of Object.entries(instead)) {
    if (fields[name] === undefined || fields[name] === null) continue;
    throw new FieldError(name, `"${name}" is not a field of this endpoint: ${words}.`);
  }
}

/** The fields that `known` does not name; undefined when there are none. */
export function others(fields: Fields, known: ReadonlySet<string>): Fields | undefined {
  const rest = Object.entries(fields).filter(([name, value]) => !known.has(name) && value !== null);
  return rest.length === 0 ? undefined : Object.fromEntries(rest);
}
