/**
 * The parameters of an inference request, the same over HTTP and gRPC.
 *
 * Sequences, which Skein does not support, are rejected, because ignoring their parameters would give
 * a different result than requested. Unknown parameters are ignored, as the protocol requires.
 */
import { SkeinError } from '@skein/api';
import { brief, invalidRequest } from '../brief.ts';

/** A parameter object from the client. */
export type Fields = Readonly<Record<string, unknown>>;

/** Triton's `timeout` is in microseconds, and 0 means none. */
export function timeoutFrom(value: unknown): number | undefined {
  if (value === undefined || value === 0) return undefined;
  if (Number.isSafeInteger(value) && (value as number) > 0) return (value as number) / 1000;
  throw invalidRequest(
    `The parameter timeout must be a whole number of microseconds, but it is ${brief(value)}.`,
  );
}

/** Largest priority: the order of larger ones would not survive the conversion to a double. */
const MAX_PRIORITY = 2 ** 63;

/** 1 is the most urgent; 0 is the default level. */
export function priorityFrom(value: unknown): number {
  if (value === undefined) return 0;
  const isWhole = Number.isInteger(value) && (value as number) >= 0;
  if (isWhole && (value as number) < MAX_PRIORITY) return value as number;
  throw new SkeinError(
    'REQUEST_INVALID',
    isWhole
      ? `The parameter priority is too large: it must be below 2^63, but it is ${brief(value)}.`
      : `The parameter priority must be a whole number from 0 on, but it is ${brief(value)}.`,
  );
}

export function refuseSequences(parameters: Fields): void {
  const id = parameters['sequence_id'];
  if ((id === undefined || id === 0 || id === '') && parameters['sequence_start'] !== true) return;
  throw invalidRequest(
    'Sequences are not supported; give the state to the model as an input and send back the state that it returns.',
  );
}

/** Whether the client asks for the names of classes next to the outputs that score them. */
export function classNamesFrom(parameters: Fields): boolean {
  const asked = parameters['class_names'] ?? false;
  if (typeof asked === 'boolean') return asked;
  throw invalidRequest(
    `The parameter class_names must be true or false, but it is ${brief(asked)}.`,
  );
}

/** How many classes of an output the client asks for; absent: for the tensor. */
export function classesFrom(parameters: Fields, output: string): number | undefined {
  const classes = parameters['classification'];
  if (classes === undefined || classes === 0) return undefined;
  if (Number.isSafeInteger(classes) && (classes as number) > 0) return classes as number;
  throw invalidRequest(
    `The parameter classification of output "${output}" must be a number of classes, but it is ${brief(classes)}.`,
  );
}
