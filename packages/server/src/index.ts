export { auditTrail } from './access/audit-trail.ts';
export { openKeyRing, type KeyRing } from './access/key-ring.ts';
export { bearerOf, hashToken, idOfToken, issueToken } from './access/token.ts';
export type { Job, JobEvent, JobSpec, JobStore } from './jobs/contract.ts';
export { openRedisJobs } from './jobs/store/redis/redis-jobs.ts';
export { openSqliteJobs } from './jobs/store/sqlite/sqlite-jobs.ts';
export {
  defineTask,
  taskWork,
  type Task,
  type TaskArtifacts,
  type TaskContext,
} from './jobs/tasks/define-task.ts';
export type {
  RunningAttempt,
  SandboxOffer,
  Worker,
  WorkerLog,
  WorkerOptions,
} from './jobs/worker/contract.ts';
export { startFleetWorker, type FleetWorkerOptions } from './jobs/worker/fleet-worker.ts';
export { startWorker } from './jobs/worker/worker.ts';
export { startNode, type NodeOptions, type RunningNode } from './node.ts';
export { openArtifacts } from './state/artifacts/open-artifacts.ts';
export type { ArtifactStore } from './state/contract.ts';
export { openDataFolder, type DataFolder } from './state/data-folder.ts';
export { withReserve } from './state/disk-reserve.ts';
export { openDatabase, type Database } from './state/sqlite/database.ts';
export { openSqliteState } from './state/sqlite/sqlite-state.ts';
export type {
  Availability,
  CollectedFile,
  Command,
  EndedBy,
  Ending,
  Enforcement,
  Limits,
  Mount,
  NetworkPolicy,
  RunningCommand,
  SandboxDriver,
  SandboxName,
  SandboxSession,
  SessionOptions,
  Usage,
} from './sandbox/contract.ts';
export { createLogger, type LogFormat } from './telemetry/log.ts';
export { describeSandboxes, type SandboxDescription } from './sandbox/describe-sandboxes.ts';
export { openSandboxes, type Sandboxes } from './sandbox/sandboxes.ts';
export { createBubblewrap } from './sandbox/bubblewrap/bubblewrap.ts';
export { createDocker } from './sandbox/docker/docker.ts';
