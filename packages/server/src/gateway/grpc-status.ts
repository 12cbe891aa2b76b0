/** Errors as gRPC tells them: a status from the error table, with code and retry time as trailers. */
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

/** Characters of a message that are told; clients limit what may stand in trailers. */
const MAX_MESSAGE = 600;

/** For where an error is only text: what happened, and what to do. */
export function sentenceOf({ code, message, row }: SkeinError): string {
  const told = message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}…`;
  // The library percent-encodes it, and fails on half of a surrogate pair.
  return `${code}: ${told} ${row.fix}`.toWellFormed();
}
