/** A coded error in messages between threads, which do not preserve classes. */
import { ERRORS, SkeinError, type ErrorCode } from '@skein/api/errors';

export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

/** @returns undefined if it is not a SkeinError; one of another copy of the package counts too. */
export function toWireError(error: unknown): WireError | undefined {
  if (!(error instanceof Error) || error.name !== 'SkeinError') return undefined;
  const { code, retryAfterMs } = error as Partial<SkeinError>;
  if (code === undefined || !Object.hasOwn(ERRORS, code)) return undefined;
  return { code, message: error.message, retryAfterMs };
}

export function fromWireError({ code, message, retryAfterMs }: WireError): SkeinError {
  return new SkeinError(code, message, retryAfterMs === undefined ? {} : { retryAfterMs });
}
