/**
 * Refuses calls that make the store grow at the request of a caller or a guest while the disk is
 * nearly full. Outcomes, leases and cancellations are still written: they end jobs, and the store
 * shrinks when ended jobs are forgotten.
 */
import type { DiskSpace } from '@skein/state';
import type { JobStore } from '../contract.ts';

/** A row, its indexes and its events, beside the text of the job. */
const JOB_BYTES = 2048;

export function keepRoom(store: JobStore, room: DiskSpace): JobStore {
  return {
    ...store,
    async enqueue(specs, quota) {
      await room.take(specs.length * JOB_BYTES + JSON.stringify(specs).length);
      return store.enqueue(specs, quota);
    },
    async appendLog(token, offset, chunk) {
      await room.take(chunk.byteLength);
      return store.appendLog(token, offset, chunk);
    },
    async putSchedule(schedule) {
      await room.take(JOB_BYTES);
      return store.putSchedule(schedule);
    },
  };
}
