/** Predicted times at which the replicas become free. */
import type { Instant } from '../../contract.ts';

/** The scheduler's record of a replica. */
export interface Server {
  /** Running rows; 0 while idle. */
  rows: number;
  startedAt: Instant;
  /** When the run should end at p50 and at p99. */
  freeAt: Instant;
  freeBy: Instant;
  idleSince: Instant;
  /** Whether it runs a probe. */
  isProbe: boolean;
}

export class Servers {
  readonly list: Server[] = [];
  /** When the first replica is expected, while there is none; undefined if none is starting. */
  expectedAt: Instant | undefined;

  /** At least 1: requests may wait for the expected one. */
  get count(): number {
    return Math.max(1, this.list.length);
  }

  get idle(): number {
    let idle = 0;
    for (const { rows } of this.list) if (rows === 0) idle++;
    return idle;
  }

  /** The one that has been idle the longest. */
  get idlest(): Server | undefined {
    let idlest: Server | undefined;
    for (const server of this.list) {
      if (server.rows > 0) continue;
      if (idlest === undefined || server.idleSince < idlest.idleSince) idlest = server;
    }
    return idlest;
  }

  get runningRows(): number {
    let running = 0;
    for (const { rows } of this.list) running += rows;
    return running;
  }

  /** Sum of the times at which they become free, at p50 or p99; `now` for an idle one. */
  sumFree(now: Instant, when: 'freeAt' | 'freeBy'): number {
    if (this.list.length === 0) return expected(this.expectedAt ?? now, now);
    let sum = 0;
    for (const server of this.list) sum += freeTime(server, when, now);
    return sum;
  }

  /** When the next one should become free; Infinity if there is none and none is starting. */
  nextFree(now: Instant): Instant {
    if (this.list.length === 0) return expected(this.expectedAt ?? Infinity, now);
    let next = Infinity;
    for (const server of this.list) next = Math.min(next, freeTime(server, 'freeAt', now));
    return next;
  }
}

function freeTime(server: Server, when: 'freeAt' | 'freeBy', now: Instant): Instant {
  return server.rows === 0 ? now : expected(server[when], now);
}

/** An overdue run is expected to take as long again as it has been overdue (Lindy's law). */
function expected(at: Instant, now: Instant): Instant {
  return at >= now ? at : now + (now - at);
}
