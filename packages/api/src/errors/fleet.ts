/** Errors of a fleet: its shared state. */
import { GRPC, NOT_NOW, type ErrorRow } from './row.ts';

export const FLEET_ERRORS = {
  CHANGES_TRIMMED: {
    http: 410,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'load',
    meaning: 'The change feed no longer reaches back to the position of its reader.',
    fix: 'Read the records again, and follow the feed from the position taken before.',
    retryMs: 0,
  },
  STORE_REPLACED: {
    http: 503,
    grpc: GRPC.FAILED_PRECONDITION,
    kind: 'fault',
    meaning:
      'The shared store has other contents than before, or older ones: it was emptied, restored from a backup, or lost writes in a failover.',
    fix: 'Restore the contents of Redis. If the present contents are right, run `skein fleet adopt` on each node with this error, and restart the workers.',
  },
  FLEET_MEMORY: {
    http: 507,
    grpc: GRPC.RESOURCE_EXHAUSTED,
    kind: 'user',
    meaning: 'No member of the fleet has enough free memory for this model; nothing was changed.',
    fix: 'Unload a deployment, give the members more memory for models (--model-memory), or add a member with enough of it.',
  },
  LEASE_LOST: {
    ...NOT_NOW,
    meaning: 'The writer no longer holds the lease under which it writes; nothing was changed.',
    fix: 'Acquire the lease again, read the record again, then decide anew.',
    retryMs: 1000,
  },
} as const satisfies Record<string, ErrorRow>;
