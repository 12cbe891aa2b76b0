/** Errors in gRPC form: a status from the error table, with code and retry time as trailers. */
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { ERRORS, type SkeinError } from '@skein/api';
import { type GatewayLogger, toSkeinError } from '@skein/http';

export type GrpcError = StatusObject & Error;

/** @param id the request's id, under which the log holds the details of a fault. */
export function toGrpcError(thrown: unknown, id: string, logger: GatewayLogger): GrpcError {
  const error = toSkeinError(thrown, id, logger);
  const metadata = new Metadata();
  metadata.set('skein-code', error.code);
  if (error.retryAfterMs !== undefined) {
    metadata.set('retry-after-ms', String(Math.ceil(error.retryAfterMs)));
  }
  return {
    name: error.name,
    message: error.message,
    // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the table has gRPC's own numbers
    code: ERRORS[error.code].grpc,
    details: sentenceOf(error),
    metadata,
  };
}

/** Longest message in characters; clients limit the size of trailers. */
const MAX_MESSAGE = 600;

/** An error as text only: what happened, and the fix. */
export function sentenceOf({ code, message, row }: SkeinError): string {
  const text = message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}…`;
  // The library percent-encodes it, and fails on half of a surrogate pair.
  return `${code}: ${text} ${row.fix}`.toWellFormed();
}
