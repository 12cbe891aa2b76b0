/** What the gRPC face shares between its tenants beside memory: connections, and streams that are open. */
import { SkeinError } from '@skein/api';
import { SharedBudget, type ShareOf } from '@skein/api/shared-budget';
import type { GrpcLimits } from './grpc-limits.ts';

/** When to come back: some of them have ended by then. */
const RETRY_MS = 5000;

export interface GrpcBudgets {
  /** Connections that carried a valid key, by the tenant of the first. */
  readonly connections: SharedBudget;
  /** Streaming calls, which cost memory for as long as their client likes; those without a key are of the tenant "". */
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
