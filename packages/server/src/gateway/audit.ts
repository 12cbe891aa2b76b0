/** The audit trail of a node's faces. */
import type { State } from '@skein/state';
import type { GatewayLogger } from '@skein/http';
import { auditTrail, type Audit } from '../access/audit-trail.ts';

/** The change has happened; failing it would be worse than losing its record, so log the failure as an error. */
export function auditInto(state: Pick<State, 'addAudit'>, logger: GatewayLogger): Audit {
  return auditTrail(state, (error, entry) =>
    logger.error({ err: error, audit: entry }, 'The audit trail could not be written.'),
  );
}
