/** Errors in gRPC form: a status from the error table, with code and retry time as trailers. */
import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { ERRORS, type SkeinError } from '@skein/api';
import { type GatewayLogger, toSkeinError } from '@skein/http';
import { retryStatus } from './retry-info.ts';

export type GrpcError = StatusObject & Error;

/** @param id the request's id, under which the log holds the details of a fault. */
export function toGrpcError(thrown: unknown, id: string, logger: GatewayLogger): GrpcError {
  const error = toSkeinError(thrown, id, logger);
  const metadata = new Metadata();
  metadata.set('skein-code', error.code);
  const { grpc } = ERRORS[error.code];
  const details = sentenceOf(error);
  if (error.retryAfterMs !== undefined) {
    const retryMs = Math.ceil(error.retryAfterMs);
    metadata.set('retry-after-ms', String(retryMs));
    const status = retryStatus(grpc, details, retryMs);
    metadata.set('grpc-status-details-bin', Buffer.from(status));
  }
  return {
    name: error.name,
    message: error.message,
    // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the table has gRPC's own numbers
    code: grpc,
    details,
    metadata,
  };
}

/** Longest message in characters; clients limit the size of trailers. */
const MAX_MESSAGE = 600;

/**
 * An error as text only: what happened, the fix, and the code. The message comes first, because
 * Triton's clients look for its first words.
 */
export function sentenceOf({ code, message, row }: SkeinError): string {
  const text = message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}…`;
  // The library percent-encodes it, and fails on half of a surrogate pair.
  return `${text} ${row.fix} (${code})`.toWellFormed();
}
