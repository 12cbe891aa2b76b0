/**
 * The interface of a backend of `State`: plain values in and out, so that a call can cross to a
 * thread or a server. `stateOver` makes the `State` of it, the same for every backend.
 */
import type { Budgets } from './budgets/budgets.ts';
import type { Arrivals } from './changes/arrivals.ts';
import type { ChangeStore } from './changes/changes.ts';
import { followChanges } from './changes/follow.ts';
import type { Records, State } from './contract.ts';
import type { Responses } from './responses/responses.ts';
import type { Secrets } from './secrets/secrets.ts';
import { leasesOver, type LeaseStore } from './leases/leases.ts';
import { sharesOver, type ShareStore } from './leases/shares.ts';
import { membersOver, type MemberStore } from './members/members.ts';

export interface StateStore
  extends Records, ChangeStore, MemberStore, LeaseStore, ShareStore, Budgets, Responses, Secrets {
  close(): Promise<void>;
}

/** @param arrivals wakes the readers of the change feed after a write. */
export function stateOver(store: StateStore, arrivals: Arrivals): State {
  return {
    ...store,
    // A lease has methods, which do not cross to a thread.
    putDeployment: (deployment, expectedRevision, fence) =>
      store.putDeployment(
        deployment,
        expectedRevision,
        fence && { name: fence.name, token: fence.token },
      ),
    changes: (after, signal) => followChanges(store, arrivals, after, signal),
    members: membersOver(store),
    leases: leasesOver(store),
    shares: sharesOver(store),
    budgets: store,
    responses: store,
    secrets: store,
  };
}
