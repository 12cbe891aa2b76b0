/**
 * Whether the thread of the loop waits for its replicas, or they for it.
 *
 * Measured with 16 connections on two cores: it is busy for 0.5 to 0.7 of the time with binary requests, where runs
 * that are prepared gain a fifth to a half, and for 0.75 to 0.8 with JSON, where they gain nothing.
 */
import { performance } from 'node:perf_hooks';
import { replicaTuning } from '../replica-tuning.ts';

export class ThreadLoad {
  #runs = 0;
  #since = performance.eventLoopUtilization();
  /** Whether it has waited lately. */
  waits = false;

  /** To be called for every run. */
  note(): void {
    if (++this.#runs % replicaTuning.loadEveryRuns !== 0) return;
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#since);
    this.#since = now;
    this.waits = utilization < replicaTuning.busyThread;
  }
}
