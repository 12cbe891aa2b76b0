/**
 * Ticks the store: backoffs, lost leases, deadlines, schedules. Every worker and every node does
 * it; the store makes each transition once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobStore } from '../contract.ts';
import type { WorkerLog } from './contract.ts';
import { isOutage } from './persist.ts';

const SHORTEST_MS = 10;
/** A job that becomes due earlier than any known one starts at most this late. */
const LONGEST_MS = 500;

export interface Clock {
  stop(): Promise<void>;
}

export function startClock(store: Pick<JobStore, 'tick' | 'now'>, log: WorkerLog): Clock {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function untilNext(): Promise<number> {
    try {
      const due = await store.tick();
      const waitMs = due - (await store.now());
      return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, waitMs));
    } catch (error) {
      if (!isOutage(error) && !signal.aborted) log('error', 'A tick failed.', { err: error });
      return LONGEST_MS;
    }
  }

  const running = (async () => {
    while (!signal.aborted) {
      await sleep(await untilNext(), undefined, { signal }).catch(() => undefined);
    }
  })();

  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
