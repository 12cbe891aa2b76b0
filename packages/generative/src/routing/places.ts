/**
 * The places of a provider: requests in flight, and the ones that wait for a place, in the order of
 * fair shares, and within a tenant of priority.
 *
 * Shares are start-time fair queueing (Goyal et al. 1996): a tenant's service ÷ weight is its virtual
 * time, the least one is next, and a tenant that returns starts at the current one. The wait of a
 * request is predicted in that order too: by the length of the queue, admission would refuse a tenant
 * for what another one has waiting. A request whose first token can no longer be in time leaves the
 * queue unsent, because its place would be lost.
 */
import { SkeinError } from '@skein/api/errors';
import { WAITING_PER_PLACE } from '../tuning.ts';

interface Waiting {
  readonly tenant: string;
  readonly level: number;
  readonly start: () => void;
  readonly leave: (error: unknown) => void;
}

export interface PlaceRequest {
  readonly tenant: string;
  /** 1 is the most urgent. */
  readonly level: number;
  /** Longest wait, in milliseconds; after it the first token would be late. */
  readonly longestMs: number;
  readonly signal: AbortSignal;
}

export interface Places {
  readonly running: number;
  readonly waiting: number;
  /** Expected wait of a request of the tenant that comes now, in milliseconds. */
  expectedWaitMs(tenant: string): number;
  /** @returns the release of the place. @throws SkeinError DEADLINE_UNREACHABLE, QUEUE_FULL, the reason of the signal. */
  acquire(request: PlaceRequest): Promise<() => void>;
}

/** Error that sums of fractions of virtual time may have. */
const ROUNDING = 1e-9;
/** Weight of the newest holding time in their mean. */
const NEWEST = 0.05;

export function createPlaces(
  count: number,
  weightOf: (tenant: string) => number,
  clock: { now(): number },
): Places {
  let running = 0;
  /** Mean time for which a place is held; 0 until one was given back. */
  let heldMs = 0;
  let virtualTime = 0;
  const virtualTimes = new Map<string, number>();
  const queue: Waiting[] = [];
  const waitingOf = new Map<string, number>();
  const shareOf = (tenant: string): number => Math.max(1e-6, weightOf(tenant));

  function enqueue(waiting: Waiting): void {
    queue.push(waiting);
    waitingOf.set(waiting.tenant, (waitingOf.get(waiting.tenant) ?? 0) + 1);
  }

  function dequeue(at: number): Waiting {
    const [waiting] = queue.splice(at, 1);
    const { tenant } = waiting!;
    const left = waitingOf.get(tenant)! - 1;
    if (left === 0) waitingOf.delete(tenant);
    else waitingOf.set(tenant, left);
    return waiting!;
  }

  function take(tenant: string): () => void {
    running += 1;
    const mine = Math.max(virtualTimes.get(tenant) ?? 0, virtualTime);
    virtualTime = mine;
    virtualTimes.set(tenant, mine + 1 / shareOf(tenant));
    if (virtualTimes.size > 10_000) forgetIdle();
    const since = clock.now();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      running -= 1;
      const ms = clock.now() - since;
      heldMs = heldMs === 0 ? ms : heldMs + NEWEST * (ms - heldMs);
      next()?.start();
    };
  }

  function forgetIdle(): void {
    for (const [tenant, time] of virtualTimes) if (time <= virtualTime) virtualTimes.delete(tenant);
  }

  /** Takes the next one out of the queue. */
  function next(): Waiting | undefined {
    let best = -1;
    for (let at = 0; at < queue.length; at++) {
      if (best === -1 || comesBefore(queue[at]!, queue[best]!)) best = at;
    }
    return best === -1 ? undefined : dequeue(best);
  }

  function comesBefore(a: Waiting, b: Waiting): boolean {
    // A caller chooses its level: it must not pass other tenants by that.
    if (a.tenant === b.tenant) return a.level < b.level;
    return timeOf(a.tenant) < timeOf(b.tenant);
  }

  const timeOf = (tenant: string): number => Math.max(virtualTimes.get(tenant) ?? 0, virtualTime);

  /** How many that wait now are served before another one of the tenant. */
  function aheadOf(tenant: string): number {
    const own = waitingOf.get(tenant) ?? 0;
    const start = timeOf(tenant) + own / shareOf(tenant);
    let ahead = own;
    for (const [other, waiting] of waitingOf) {
      if (other === tenant) continue;
      const before = Math.floor((start - timeOf(other)) * shareOf(other) + ROUNDING) + 1;
      ahead += Math.min(waiting, Math.max(0, before));
    }
    return ahead;
  }

  const expectedWaitMs = (tenant: string): number => {
    const ahead = running + aheadOf(tenant) + 1 - count;
    return ahead <= 0 ? 0 : (ahead * heldMs) / count;
  };

  /** Frees an entry of a full queue for a tenant with fewer requests: refuses the last one of the tenant with the most. */
  function displace(tenant: string, error: SkeinError): boolean {
    const parts = [...waitingOf].map(([name, waiting]) => ({
      name,
      part: waiting / shareOf(name),
    }));
    const most = parts.reduce((a, b) => (b.part > a.part ? b : a));
    const mine = ((waitingOf.get(tenant) ?? 0) + 1) / shareOf(tenant);
    if (most.name === tenant || most.part <= mine) return false;
    queue.findLast((each) => each.tenant === most.name)!.leave(error);
    return true;
  }

  return {
    get running() {
      return running;
    },
    get waiting() {
      return queue.length;
    },
    expectedWaitMs,
    acquire({ tenant, level, longestMs, signal }) {
      if (signal.aborted) return Promise.reject(signal.reason as Error);
      if (running < count && queue.length === 0) return Promise.resolve(take(tenant));
      if (queue.length >= count * WAITING_PER_PLACE) {
        const text = `${queue.length} ${queue.length === 1 ? 'request waits' : 'requests wait'} for the provider.`;
        const retryAfterMs = Math.max(1, expectedWaitMs(tenant));
        const full = new SkeinError('QUEUE_FULL', text, { retryAfterMs });
        if (!displace(tenant, full)) return Promise.reject(full);
      }
      return new Promise((resolve, reject) => {
        const leave = (error: unknown): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', abort);
          const at = queue.indexOf(waiting);
          if (at !== -1) dequeue(at);
          reject(error);
        };
        const waiting: Waiting = {
          tenant,
          level,
          start() {
            clearTimeout(timer);
            signal.removeEventListener('abort', abort);
            resolve(take(tenant));
          },
          leave,
        };
        const late = (): void =>
          leave(
            new SkeinError(
              'DEADLINE_UNREACHABLE',
              `No place at the provider was free within ${Math.round(longestMs)} ms.`,
              { retryAfterMs: Math.max(1, expectedWaitMs(tenant)) },
            ),
          );
        const timer = setTimeout(late, Math.max(0, longestMs));
        const abort = (): void => leave(signal.reason);
        signal.addEventListener('abort', abort, { once: true });
        enqueue(waiting);
      });
    },
  };
}
