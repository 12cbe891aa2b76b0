/** The requests of one tenant in one lane, ordered by effective deadline: a binary heap whose entries know their index. */
import type { Lane, Tenant } from './deadline-queue.ts';
import type { Ticket } from './ticket.ts';

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
