export { moving, type CallContext, type CallOptions, type Calls } from './calls.ts';
export { startOnDemand, WorkerLost, withWorker, type CallWorker } from './call-worker.ts';
export { fromWire, toWire, type ErrorClass, type WireError } from './errors.ts';
export { startProcess, type ProcessOptions } from './process.ts';
export { startThread, type StartedThread, type ThreadOptions } from './thread.ts';
export { workerEnvironment } from './worker-environment.ts';
