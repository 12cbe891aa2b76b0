/**
 * One accepted request until it runs: the data for the policies, its positions in the timeline and
 * in its tenant queue, and a payload for the dispatcher.
 *
 * Intrusive on purpose: a request costs this one object, and removing it from a structure needs no
 * search.
 */
import type { Instant } from '../../contract.ts';
import type { Lane, Tenant } from './deadline-queue.ts';
import type { TenantQueue } from './tenant-queue.ts';

export class Ticket<Payload = unknown> {
  readonly payload: Payload;
  readonly lane: Lane<Payload>;
  readonly tenant: Tenant<Payload>;
  readonly rows: number;
  readonly deadline: Instant;
  /** 1 is the most urgent. */
  readonly level: number;
  enqueuedAt: Instant = 0;

  /** Latest time at which its run may start, so that it ends before the deadline at p99. */
  startBy: Instant = 0;
  /** Work that it adds to the queue, in milliseconds of one replica. */
  work = 0;
  /** Whether it was accepted to show its cost, which is not known or is doubted: see `Scheduler`. */
  isProbe = false;
  /** Rows of its planned run, up to and including its own. */
  fill = 0;

  // Its node in the timeline, see `timeline.ts`.
  left: Ticket<Payload> | undefined = undefined;
  right: Ticket<Payload> | undefined = undefined;
  heapRank = 0;
  order = 0;
  totalWork = 0;
  latestFree = 0;

  // Its position in its tenant queue, see `tenant-queue.ts`.
  tenantQueue: TenantQueue<Payload> | undefined = undefined;
  index = -1;
  /** The deadline, moved by the priority level. */
  effectiveDeadline = 0;

  constructor(
    payload: Payload,
    lane: Lane<Payload>,
    tenant: Tenant<Payload>,
    rows: number,
    deadline: Instant,
    level: number,
  ) {
    this.payload = payload;
    this.lane = lane;
    this.tenant = tenant;
    this.rows = rows;
    this.deadline = deadline;
    this.level = level;
  }

  get isWaiting(): boolean {
    return this.index >= 0;
  }
}
