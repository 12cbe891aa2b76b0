/** Messages between the node's thread and the thread of the database. */
import { SkeinError, type ErrorCode } from '@skein/api/errors';
import type { State } from '../contract.ts';

export type Method = keyof State;

export interface Call {
  readonly id: number;
  readonly method: Method;
  readonly args: readonly unknown[];
}

export type Outcome = { readonly value: unknown } | { readonly failure: Failure };

/** The first reply, with id 0, tells whether the database could be opened. */
export type Reply = Outcome & { readonly id: number };

/** An error as plain data: messages between threads do not preserve classes. */
export interface Failure {
  readonly code?: ErrorCode;
  readonly message: string;
  readonly stack?: string | undefined;
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, stack } = error;
  return error instanceof SkeinError ? { code: error.code, message, stack } : { message, stack };
}

export function errorOf({ code, message, stack }: Failure): Error {
  const error = code === undefined ? new Error(message) : new SkeinError(code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
