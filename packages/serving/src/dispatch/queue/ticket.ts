/**
 * One accepted request until it runs, with the lane, the tenant and the queue that it waits in.
 *
 * A ticket has the data for the policies, its positions in the timeline and in its tenant queue, and a
 * payload for the dispatcher. Intrusive on purpose: a request costs this one object, and removing it from a structure needs no
 * search.
 */
import type { Instant } from '../../contract.ts';
import type { LatencyCurve } from '../cost/latency-curve.ts';
import type { ArrivalRate } from './arrival-rate.ts';

export interface Lane<Payload> {
  readonly key: string;
  /** Whether its requests may share a run. */
  readonly batches: boolean;
  readonly curve: LatencyCurve;
  readonly arrivals: ArrivalRate;
  readonly tenantQueues: TenantQueue<Payload>[];
  rows: number;
  requests: number;
  /** Queued work, in milliseconds of one replica. */
  work: number;
}

export interface Tenant<Payload> {
  readonly name: string;
  /** Its weight; read again every few seconds. */
  weight: number;
  /** Received service, in milliseconds of one replica per weight. */
  virtualTime: number;
  requests: number;
  /** Queued work, in milliseconds of one replica. */
  work: number;
  lastSeenAt: Instant;
  readonly tenantQueues: TenantQueue<Payload>[];
}

export class TenantQueue<Payload> {
  readonly tenant: Tenant<Payload>;
  readonly lane: Lane<Payload>;
  readonly #heap: Ticket<Payload>[] = [];

  constructor(tenant: Tenant<Payload>, lane: Lane<Payload>) {
    this.tenant = tenant;
    this.lane = lane;
  }

  /** The first request. */
  get head(): Ticket<Payload> | undefined {
    return this.#heap[0];
  }

  /** All requests, in no order. */
  get tickets(): readonly Ticket<Payload>[] {
    return this.#heap;
  }

  push(ticket: Ticket<Payload>): void {
    ticket.tenantQueue = this;
    ticket.index = this.#heap.length;
    this.#heap.push(ticket);
    this.#siftUp(ticket);
  }

  remove(ticket: Ticket<Payload>): void {
    const { index } = ticket;
    const last = this.#heap.pop()!;
    ticket.index = -1;
    if (last === ticket) return;
    last.index = index;
    this.#heap[index] = last;
    this.#siftUp(last);
    this.#siftDown(last);
  }

  #siftUp(ticket: Ticket<Payload>): void {
    const heap = this.#heap;
    let { index } = ticket;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above]!;
      if (!comesBefore(ticket, parent)) break;
      heap[index] = parent;
      parent.index = index;
      index = above;
    }
    heap[index] = ticket;
    ticket.index = index;
  }

  #siftDown(ticket: Ticket<Payload>): void {
    const heap = this.#heap;
    let { index } = ticket;
    for (;;) {
      let below = 2 * index + 1;
      let child = heap[below];
      if (child === undefined) break;
      const right = heap[below + 1];
      if (right !== undefined && comesBefore(right, child)) {
        child = right;
        below++;
      }
      if (!comesBefore(child, ticket)) break;
      heap[index] = child;
      child.index = index;
      index = below;
    }
    heap[index] = ticket;
    ticket.index = index;
  }
}

/** By effective deadline; of equal ones, the first to arrive. */
export function comesBefore<Payload>(a: Ticket<Payload>, b: Ticket<Payload>): boolean {
  return (
    a.effectiveDeadline < b.effectiveDeadline ||
    (a.effectiveDeadline === b.effectiveDeadline && a.order < b.order)
  );
}

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

  // Its position in its tenant queue.
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
