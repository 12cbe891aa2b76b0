/** Bounds the streaming calls that are open, which cost memory for as long as their client likes. */
import { SkeinError } from '@skein/api';
import { SharedBudget, type ShareOf } from '../access/shared-budget.ts';

/** When to come back: some of the streams have ended by then. */
const RETRY_MS = 5000;

/**
 * Streams without a key are those of the tenant "".
 * @param max of all tenants together. @param shareOf default: one tenant may hold them all.
 */
export function streamBudget(max: number, shareOf?: ShareOf): SharedBudget {
  return new SharedBudget({
    name: 'grpc_streams',
    unit: 'count',
    max,
    ...(shareOf === undefined ? {} : { shareOf }),
    refuse: ({ held, heldByTenant, tenantLimit, max }) =>
      new SkeinError(
        'QUOTA_EXCEEDED',
        `${held} streams are open, ${heldByTenant} of them this tenant's, which may hold ${tenantLimit} of the node's ${max}.`,
        { retryAfterMs: RETRY_MS },
      ),
  });
}
