/**
 * The store of jobs for a process that is not a node: it follows the state of the fleet, so that it
 * neither claims nor changes jobs of a Redis with other contents. A restart takes the contents as they are.
 */
import { followState, openFleetState } from '@skein/state';
import type { JobStore } from '../contract.ts';
import type { WorkerLog } from '../worker/contract.ts';
import { openFleetStore } from './open-store.ts';
import { whenReachable } from './when-reachable.ts';

export interface FollowedStoreOptions {
  readonly namespace?: string | undefined;
  /** Receives why the store is awaited. Absent: a store that is away is an error. */
  readonly onAway?: ((reason: string) => void) | undefined;
  /** Ends that wait. */
  readonly ending?: AbortSignal | undefined;
  readonly log: WorkerLog;
}

/** @throws SkeinError USAGE, STORE_TOO_OLD, STATE_TOO_NEW; STORE_UNREACHABLE without `onAway`; the reason of `ending`. */
export async function openFollowedStore(
  redis: string,
  { namespace, onAway, ending, log }: FollowedStoreOptions,
): Promise<JobStore> {
  const follow = () =>
    followState({
      open: () => openFleetState(redis, { namespace }),
      log: (level, message, details) => log(level, message, { ...details }),
    });
  const followed = await (onAway === undefined
    ? follow()
    : whenReachable(follow, { onAway, ending }));
  try {
    const store = await openFleetStore(redis, { namespace, cursor: () => followed.cursor() });
    return {
      ...store,
      async close() {
        await store.close();
        await followed.state.close();
      },
    };
  } catch (error) {
    await followed.state.close();
    throw error;
  }
}
