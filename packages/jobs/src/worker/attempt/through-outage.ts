/**
 * Repeats what an attempt asks of the artifacts while their store is away, or denies access: an outage of a minute, or
 * credentials that have expired, would else spend all attempts of the jobs that run then, and what they have computed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api/errors';
import { isAway } from '../../store/when-reachable.ts';
import type { Lease } from '../lease.ts';

/** After a try, which itself may wait for the store for a while. */
const PAUSE_MS = 1000;

export function isArtifactOutage(error: unknown): error is SkeinError {
  return isAway(error) || (error instanceof SkeinError && error.code === 'STORE_DENIED');
}

/**
 * @param act can be repeated.
 * @throws STORE_UNREACHABLE or STORE_DENIED once the attempt is to stop; what else `act` throws.
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
      if (!isArtifactOutage(error) || stopping.aborted) throw error;
    }
    await sleep(PAUSE_MS, undefined, { signal: stopping }).catch(() => undefined);
  }
}
