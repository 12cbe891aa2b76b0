/**
 * Records the actor, action and outcome of each change, whether it succeeded or not. Request bodies
 * are not recorded, because they may hold secrets.
 */
import { SkeinError } from '@skein/api/errors';
import type { GatewayLogger } from '@skein/http';
import type { AuditEntry, State } from '@skein/state';
import { withoutKeys } from '../telemetry/redaction.ts';

/** Actor of a change: a key's id or `local`, and its address. */
export interface Actor {
  readonly actor: string;
  readonly remote: string;
}

export interface Change<T> extends Actor {
  readonly action: string;
  /** Subject of the change, such as `risk/2`; the answer is absent if the change failed. */
  readonly subject: (answer: T | undefined) => string;
}

/** A change that was refused and may still happen: the record names what it would leave behind. */
export class UnsureChange extends SkeinError {
  readonly subject: string;

  constructor(subject: string, message: string, cause: SkeinError) {
    const { retryAfterMs } = cause;
    super(cause.code, message, { cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
    this.subject = subject;
  }
}

/** Runs a change and records it. Resolves or rejects as the change does. */
export type Audit = <T>(change: Change<T>, run: () => Promise<T>) => Promise<T>;

/** @param unwritten called if the change has happened but its record could not be written. */
export function auditTrail(
  state: Pick<State, 'addAudit'>,
  unwritten: (error: unknown, entry: Omit<AuditEntry, 'id' | 'at'>) => void,
): Audit {
  return async (change, run) => {
    let outcome = 'ok';
    let unsure: string | undefined;
    let answer: Awaited<ReturnType<typeof run>> | undefined;
    try {
      return (answer = await run());
    } catch (error) {
      outcome = error instanceof SkeinError ? error.code : 'INTERNAL';
      if (error instanceof UnsureChange) unsure = error.subject;
      throw error;
    } finally {
      const { actor, action, remote } = change;
      // An operator may have given a key where its id belongs.
      const subject = withoutKeys(unsure ?? change.subject(answer));
      const entry = { actor, action, subject, outcome, remote };
      await state.addAudit(entry).catch((error: unknown) => unwritten(error, entry));
    }
  };
}

/** The change has happened; failing it would be worse than losing its record, so log the failure as an error. */
export function auditInto(state: Pick<State, 'addAudit'>, logger: GatewayLogger): Audit {
  return auditTrail(state, (error, entry) =>
    logger.error({ err: error, audit: entry }, 'The audit trail could not be written.'),
  );
}
