/** Budgets that tenants share on the gRPC face besides memory: connections and open streams. */
import { SkeinError } from '@skein/api';
import { SharedBudget, type ShareOf } from '@skein/api/shared-budget';
import type { GrpcLimits } from './limits.ts';

/** Retry time: some connections or streams have ended by then. */
const RETRY_MS = 5000;

export interface GrpcBudgets {
  /** Connections that carried a valid key, by the tenant of the first key. */
  readonly connections: SharedBudget;
  /** Streaming calls, which take memory while they are open; those without a key belong to the tenant "". */
  readonly streams: SharedBudget;
}

/** @param shareOf default: one tenant may hold everything. */
export function grpcBudgets(
  { maxConnections, maxStreams }: Pick<GrpcLimits, 'maxConnections' | 'maxStreams'>,
  shareOf?: ShareOf,
): GrpcBudgets {
  return {
    connections: budget('grpc_connections', 'connections', maxConnections, shareOf),
    streams: budget('grpc_streams', 'streams', maxStreams, shareOf),
  };
}

function budget(name: string, what: string, max: number, shareOf?: ShareOf): SharedBudget {
  return new SharedBudget({
    name,
    unit: 'count',
    max,
    ...(shareOf === undefined ? {} : { shareOf }),
    refuse: ({ held, heldByTenant, tenantLimit, max }) =>
      new SkeinError(
        'QUOTA_EXCEEDED',
        `${held} ${what} are open, ${heldByTenant} of them this tenant's, which may hold ${tenantLimit} of the node's ${max}.`,
        { retryAfterMs: RETRY_MS },
      ),
  });
}
