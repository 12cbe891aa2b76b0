/**
 * Durable work. `openJobs` is a queue and a worker in one call; tasks, pipelines, maps and the two
 * stores are doors of their own (`./task`, `./pipeline`, `./map`, `./sqlite`, `./redis`).
 */
export { scheduledSpecOf, specOf } from './admission.ts';
export type { Job, JobSpec, JobStore, ListedJob } from './contract.ts';
export { cancelRun } from './tasks/cancel-run.ts';
export { openJobs } from './open-jobs.ts';
export { openJobPlane, type JobPlane } from './plane.ts';
export { jobEventView, jobView, queueView, scheduleView, workerView } from './view.ts';
export type { Work } from './work.ts';
export type { SandboxOffer, Worker, WorkerLog, WorkerOptions } from './worker/contract.ts';
export { createWorkerScale, type WorkerScale } from './scale/worker-scale.ts';
export type { DesiredWorkers } from './scale/desired-workers.ts';
export { machineCapacity } from './worker/capacity.ts';
export { acceleratorsHere } from './worker/labels.ts';
export { startWorker } from './worker/worker.ts';
export type { ArtifactHoldings } from './artifact-holdings.ts';
export { openFollowedStore } from './store/followed-store.ts';
export { openJobStore } from './store/open-store.ts';
export { DEFAULT_QUOTA } from './store/bounds.ts';
