/** Starts a node or a worker of a fleet, and manages their keys. */
export { auditTrail } from './access/audit-trail.ts';
export { openKeyRing, type KeyRing } from './access/keys/key-ring.ts';
export { startFleetWorker, type FleetWorkerOptions } from './fleet-worker.ts';
export { startNode, type RunningNode } from './node.ts';
export type { NodeOptions } from './rooms/options.ts';
export { issueToken } from '@skein/http';
export { createLogger, type LogFormat } from './telemetry/log.ts';
