/**
 * Repeats what an attempt asks of the artifacts while their store is away: an outage of a minute would else spend all
 * attempts of the jobs that run then, and what they have computed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isAway } from '../../store/when-reachable.ts';
import type { Lease } from '../lease.ts';

/** After a try, which itself may wait for the store for a while. */
const PAUSE_MS = 1000;

/**
 * @param act can be repeated.
 * @throws STORE_UNREACHABLE once the attempt is to stop; what else `act` throws.
 */
export async function throughOutage<T>(
  act: () => Promise<T>,
  { ended, preempted }: Pick<Lease, 'ended' | 'preempted'>,
): Promise<T> {
  const stopping = AbortSignal.any([ended, preempted]);
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!isAway(error) || stopping.aborted) throw error;
    }
    await sleep(PAUSE_MS, undefined, { signal: stopping }).catch(() => undefined);
  }
}
