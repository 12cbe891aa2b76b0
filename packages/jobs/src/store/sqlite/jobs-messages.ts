/** The messages between the node's thread and the store's thread. */
import { SkeinError, type ErrorCode } from '@skein/api/errors';
import type { Call } from './local-jobs.ts';
import type { Notifications } from './transaction.ts';

/** Calls that were made in one turn of the event loop. */
export interface Batch {
  readonly batch: number;
  readonly calls: Packed<readonly Call[]> | 'close';
}

/**
 * As JSON, which is made and read in half the time of a structured clone; content with bytes goes
 * as it is.
 */
export type Packed<Content> = { readonly json: string } | { readonly content: Content };

/** Methods that take or return bytes. */
const WITH_BYTES: ReadonlySet<string> = new Set(['appendLog', 'log']);
export const hasBytes = (calls: readonly Call[]): boolean =>
  calls.some(({ method }) => WITH_BYTES.has(method));

export const pack = <Content>(content: Content, bytes: boolean): Packed<Content> =>
  bytes ? { content } : { json: JSON.stringify(content) };

export const unpack = <Content>(packed: Packed<Content>): Content =>
  'json' in packed ? (JSON.parse(packed.json) as Content) : packed.content;

/** Without a value: undefined. */
export type Answer = { readonly value?: unknown } | { readonly failure: Failure };

/** Batch 0 tells whether the database could be opened. */
export interface BatchReply {
  readonly batch: number;
  readonly answers: Packed<readonly Answer[]>;
  readonly notifications: Notifications;
}

/** An error as plain data: classes are lost between threads. */
export interface Failure {
  readonly code?: ErrorCode;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, stack } = error;
  if (!(error instanceof SkeinError)) return { message, stack };
  return { code: error.code, message, stack, retryAfterMs: error.retryAfterMs };
}

export function errorOf({ code, message, stack, retryAfterMs }: Failure): Error {
  const error =
    code === undefined
      ? new Error(message)
      : new SkeinError(code, message, retryAfterMs === undefined ? {} : { retryAfterMs });
  if (stack !== undefined) error.stack = stack;
  return error;
}
