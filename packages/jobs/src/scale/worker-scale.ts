/** The workers that each queue needs, from readings of the store; for `/metrics` and the API. */
import type { QueueView, WorkerView } from '../contract.ts';
import {
  desiredWorkers,
  withLook,
  type DesiredWorkers,
  type RatesSoFar,
} from './desired-workers.ts';

export interface WorkerScale {
  /** @param now the store's clock. @returns by queue. */
  look(
    queues: readonly QueueView[],
    workers: readonly WorkerView[],
    now: number,
  ): ReadonlyMap<string, DesiredWorkers>;
}

export function createWorkerScale(): WorkerScale {
  let known = new Map<string, RatesSoFar>();
  return {
    look(queues, workers, now) {
      const next = new Map<string, RatesSoFar>();
      const desired = new Map<string, DesiredWorkers>();
      for (const { queue, mode, counts, oldestReadyAt, attempts } of queues) {
        // No job of a paused queue starts, however many workers there are.
        const ready = mode === 'paused' ? 0 : counts.ready;
        const { running } = counts;
        const own = workers.filter((each) => each.mode === 'open' && each.queues.includes(queue));
        const ended = Object.values(attempts).reduce((sum, count) => sum + count, 0);
        const busiest = Math.max(0, ...own.map((each) => each.running));
        const look = { at: now, ready, running, busiest, ended };
        const soFar = withLook(known.get(queue), look);
        next.set(queue, soFar);
        const oldestWaitMs = oldestReadyAt === undefined ? 0 : now - oldestReadyAt;
        desired.set(
          queue,
          desiredWorkers({ ready, running, oldestWaitMs, workers: own.length, rates: soFar.rates }),
        );
      }
      known = next;
      return desired;
    },
  };
}
