/** Starts a node or a worker of a fleet. */
export { startFleetWorker } from './fleet-worker.ts';
export { startNode, type RunningNode } from './node.ts';
export type { NodeOptions } from './components/options.ts';
export { createLogger } from './telemetry/log.ts';
