/**
 * One call on the store: its transaction, its time, and the notifications that are sent after the
 * commit.
 */
import type { LeaseNotification } from '../../contract.ts';
import type { Sql } from './sql.ts';
import type { Tally } from './tally.ts';

export interface Transaction {
  readonly sql: Sql;
  /** The store's clock, ms since the epoch; the same throughout the call. */
  readonly now: number;
  /** Time of a clock that is never set, and stands still while the machine is suspended; ms since any moment. */
  readonly uptime: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /**
   * Consequences for other jobs, run after the transition that causes them. A chain of any length
   * needs no recursion.
   */
  readonly later: (() => void)[];
  readonly notifications: Notifications;
  /** The counts of this call. */
  readonly tally: Tally;
  /** The counts of earlier calls of the same database transaction, not yet in the tables. */
  readonly unwritten: Tally;
}

/** The notifications of the node's thread by the store's thread after a commit. */
export interface Notifications {
  /** Queues in which something may have become claimable. */
  readonly queues: Set<string>;
  readonly leases: { readonly worker: string; readonly lease: LeaseNotification }[];
  /** Whether there are new events. */
  events: boolean;
}

export const noNotifications = (): Notifications => ({
  queues: new Set(),
  leases: [],
  events: false,
});

/** Adds the notifications of a committed transaction. */
export function addNotifications(notifications: Notifications, more: Notifications): void {
  for (const queue of more.queues) notifications.queues.add(queue);
  notifications.leases.push(...more.leases);
  notifications.events ||= more.events;
}

/** Runs a transition with all of its consequences. */
export function complete<T>(transaction: Transaction, transition: () => T): T {
  const result = transition();
  for (let next = 0; next < transaction.later.length; next += 1) transaction.later[next]?.();
  transaction.later.length = 0;
  return result;
}
