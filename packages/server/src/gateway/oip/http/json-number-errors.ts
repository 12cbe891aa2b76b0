/** Errors for the numbers of an input; every message names the input and the place or value. */
import { SkeinError } from '@skein/api';
import type { NumericType } from '@skein/onnx';
import { invalidData } from '../../brief.ts';

/** The input that is being read. */
export interface Reader {
  readonly bytes: Buffer;
  readonly start: number;
  readonly type: NumericType;
  readonly shape: readonly number[];
  readonly input: string;
  readonly count: number;
}

export function malformed({ bytes, input }: Reader, at: number): SkeinError {
  const found = JSON.stringify(bytes.toString('latin1', at, at + 1));
  return new SkeinError(
    'BODY_NOT_JSON',
    `The data of input "${input}" are not valid JSON: unexpected ${found} at byte ${at} of the body.`,
  );
}

/** How values that are not numbers begin, and what the message calls them. */
const NOT_NUMBERS: readonly (readonly [start: RegExp, name: string])[] = [
  [/^"/, 'a string'],
  [/^\{/, 'an object'],
  [/^(true|false)/, 'true or false'],
  [/^null/, 'null'],
  [/^-?NaN/, 'NaN'],
  [/^-?Inf/, 'an infinity'],
];

/** A value of another kind than the type takes; undefined if no value of JSON begins there. */
export function misplaced({ bytes, input, type }: Reader, at: number): SkeinError | undefined {
  const text = bytes.toString('latin1', at, at + 5);
  const name = NOT_NUMBERS.find(([start]) => start.test(text))?.[1];
  if (name === undefined) return undefined;
  const wanted = type === 'bool' ? 'true or false' : 'a number';
  return invalidData(
    `Input "${input}" holds ${name} at byte ${at} of the body, where ${type} takes ${wanted}.`,
  );
}

export function misfit({ bytes, input, type }: Reader, begin: number, end: number): SkeinError {
  const value = bytes.toString('latin1', begin, Math.min(end, begin + 40));
  return invalidData(`Input "${input}" holds ${value}, which does not fit ${type}.`);
}

export function nesting({ input, shape }: Reader): SkeinError {
  return invalidData(
    `The data of input "${input}" are nested unlike its shape [${shape.join(', ')}]; nest them by the shape, or send them flat.`,
  );
}

export function tooFew({ input, shape, count }: Reader, found: number): SkeinError {
  return invalidData(
    `Input "${input}" has ${found} values; its shape [${shape.join(', ')}] takes ${count}.`,
  );
}

export function tooMany({ input, shape, count }: Reader): SkeinError {
  return invalidData(
    `Input "${input}" has more than the ${count} values that its shape [${shape.join(', ')}] takes.`,
  );
}
