export { moving, type CallOptions } from './calls.ts';
export { startOnDemand, WorkerLost, withWorker, type CallWorker } from './call-worker.ts';
export { fromWire, type WireError } from './errors.ts';
export { startProcess } from './process.ts';
export { startThread, type StartedThread } from './thread.ts';
export { workerEnvironment } from './worker-environment.ts';
