/** Limits of the gRPC transport, and the budgets of connections and streams that tenants share. */
import { SkeinError } from '@skein/api';
import { SharedBudget, type ShareOf } from '@skein/api/shared-budget';

/** Limits of gRPC alone, after those that both transports have. Each is a count unless its name ends in bytes. */
export interface GrpcLimits {
  /** Connections that never carried a valid key; above it, the oldest is closed. */
  readonly maxUnauthenticated: number;
  /** Connections that carried one, shared between the tenants. */
  readonly maxConnections: number;
  /** Calls that one connection may have open. */
  readonly maxConcurrentStreams: number;
  /** The same before it has carried a valid key: all of them may arrive in one turn of the event loop. */
  readonly maxUnauthenticatedStreams: number;
  /** Streaming calls of all connections, shared between the tenants. */
  readonly maxStreams: number;
  /** Streams that one connection may have open without a key: health watches. */
  readonly maxKeylessStreams: number;
  /** Calls of methods that need no key; above it, the oldest is ended. */
  readonly maxKeylessCalls: number;
  /** Messages of those methods, together, in bytes. */
  readonly maxKeylessBytes: number;
  /** Largest message of a method that carries no tensors, in bytes; such messages hold little but names. */
  readonly maxControlBytes: number;
  /** Metadata of one call, in bytes, as HTTP/2 counts it; gRPC's own advice is 8 KiB. */
  readonly maxMetadataBytes: number;
}

/** A stream takes about 8 KiB while it is open, a connection about 60 KiB. */
export const GRPC_LIMITS: GrpcLimits = {
  maxUnauthenticated: 64,
  maxConnections: 8192,
  maxConcurrentStreams: 128,
  maxUnauthenticatedStreams: 32,
  maxStreams: 2048,
  maxKeylessStreams: 16,
  maxKeylessCalls: 128,
  maxKeylessBytes: 4 * 1024 * 1024,
  maxControlBytes: 64 * 1024,
  maxMetadataBytes: 16 * 1024,
};

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
