/** Turns anything thrown into an error that a client may see: an internal fault shows only its id. */
import { SkeinError } from '@skein/api';

/** The logger of a gateway; a pino logger satisfies it. */
export interface GatewayLogger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  debug(details: object, message: string): void;
}

/** @param id the request's id, under which the log holds the details of a fault. */
export function toSkeinError(thrown: unknown, id: string, logger: GatewayLogger): SkeinError {
  if (thrown instanceof SkeinError) {
    if (thrown.row.kind === 'fault') logger.error({ err: thrown, requestId: id }, thrown.message);
    return thrown;
  }
  logger.error({ err: thrown, requestId: id }, 'A request failed because of an internal fault.');
  return new SkeinError('INTERNAL', `The node failed while it answered request ${id}.`, {
    cause: thrown,
  });
}
