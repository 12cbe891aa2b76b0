/**
 * Refuses calls that make the store grow at the request of a caller or a guest while the disk is
 * nearly full. Outcomes, leases and cancellations are still written: they end jobs, and the store
 * shrinks when ended jobs are removed.
 */
import type { DiskSpace } from '@skein/state';
import type { JobStore } from '../contract.ts';

/** Size of a row, its indexes and its events, without the text of the job. */
const JOB_BYTES = 2048;

export function keepSpaceFree(store: JobStore, space: DiskSpace): JobStore {
  return {
    ...store,
    async enqueue(specs, quota) {
      await space.take(specs.length * JOB_BYTES + JSON.stringify(specs).length);
      return store.enqueue(specs, quota);
    },
    async appendLog(token, offset, chunk) {
      await space.take(chunk.byteLength);
      return store.appendLog(token, offset, chunk);
    },
    async putSchedule(schedule) {
      await space.take(JOB_BYTES);
      return store.putSchedule(schedule);
    },
  };
}
