/**
 * Keeps the leases of a worker. A separate beat renews them, so that busy work cannot lose one.
 * When the store was not reached in time, the worker's own monotonic clock ends them, because the
 * store may have given the job to another worker.
 *
 *     held ──preempt──► asked to stop        ended: lost | cancel
 *       └──────────────────┴────────────────►
 *
 * A lease counts from the moment at which its renewal was sent, not answered: it never lasts longer
 * here than in the store.
 */
import type { JobStore, LeaseNotification } from '../contract.ts';
import type { WorkerLog } from './contract.ts';

/** Why the work must stop at once. */
export type LeaseEnd = 'lost' | 'cancel';

export interface Lease {
  readonly token: number;
  /** Aborted when the work must stop at once; its reason is a `LeaseEnd`. */
  readonly ended: AbortSignal;
  /** Aborted when the work should checkpoint and stop. */
  readonly preempted: AbortSignal;
  /** Asks for a checkpoint, as the store may; a drain uses it. */
  preempt(): void;
  /** Stops the renewals: the store has the outcome, or the outcome is given up. */
  release(): void;
}

export interface LeaseKeeper {
  /** @param since when the claim that granted it was sent, by `now`. */
  hold(token: number, since: number): Lease;
  /** Whether the store has answered the last renewal. */
  readonly connected: boolean;
  close(): Promise<void>;
}

export interface LeaseKeeperOptions {
  readonly store: Pick<JobStore, 'renew' | 'onLeaseNotification'>;
  readonly worker: string;
  readonly leaseMs: number;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  readonly log: WorkerLog;
}

interface Held {
  validUntil: number;
  readonly ended: AbortController;
  readonly preempted: AbortController;
}

/** Renewals sent within the time of one lease. */
const RENEWALS_PER_LEASE = 3;
/** Interval of the clock check between two renewals. */
const BEATS_PER_RENEWAL = 4;

/** Starts the beat, which is the heartbeat of the worker too. @throws SkeinError STORE_UNREACHABLE. */
export async function keepLeases(options: LeaseKeeperOptions): Promise<LeaseKeeper> {
  const { store, worker, leaseMs, now, log } = options;
  const renewEveryMs = leaseMs / RENEWALS_PER_LEASE;
  const held = new Map<number, Held>();
  let connected = true;
  let lastSent = now();

  function end(token: number, why: LeaseEnd): void {
    const lease = held.get(token);
    held.delete(token);
    lease?.ended.abort(why);
  }

  function apply({ token, state }: LeaseNotification): void {
    if (state === 'lost' || state === 'cancel') end(token, state);
    else if (state === 'preempt') held.get(token)?.preempted.abort();
  }

  async function renew(): Promise<void> {
    const sent = now();
    lastSent = sent;
    const tokens = [...held.keys()];
    try {
      for (const notification of await store.renew(worker, tokens, leaseMs)) {
        const lease = held.get(notification.token);
        if (lease !== undefined && notification.state !== 'lost') {
          lease.validUntil = Math.max(lease.validUntil, sent + leaseMs);
        }
        apply(notification);
      }
      if (!connected) log('info', 'The store answers again.', { leases: tokens.length });
      connected = true;
    } catch (error) {
      if (connected) log('warn', 'The store does not answer; leases run on.', { err: error });
      connected = false;
    }
  }

  function beat(): void {
    const at = now();
    for (const [token, { validUntil }] of held) if (at >= validUntil) end(token, 'lost');
    // Does not wait for the last renewal: it may hang as long as the connection does.
    if (at - lastSent >= (connected ? renewEveryMs : renewEveryMs / BEATS_PER_RENEWAL)) {
      void renew();
    }
  }

  const unsubscribe = await store.onLeaseNotification(worker, apply);
  const timer = setInterval(beat, renewEveryMs / BEATS_PER_RENEWAL);

  return {
    hold(token, since) {
      const lease: Held = {
        validUntil: since + leaseMs,
        ended: new AbortController(),
        preempted: new AbortController(),
      };
      held.set(token, lease);
      return {
        token,
        ended: lease.ended.signal,
        preempted: lease.preempted.signal,
        preempt: () => lease.preempted.abort(),
        release: () => held.delete(token),
      };
    },
    get connected() {
      return connected;
    },
    async close() {
      clearInterval(timer);
      await unsubscribe();
    },
  };
}
