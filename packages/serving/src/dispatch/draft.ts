/**
 * A batch while it is put together: it grows as long as each of its members still meets its
 * deadline when the whole batch does.
 *
 * A member that is on its plan (it can still start in time) is held to p99. One that is behind,
 * because runs took longer than predicted, is held to the median: it has lost its promise, and
 * a small batch for its sake would cost others theirs.
 */
import type { Instant } from '../contract.ts';
import type { LatencyCurve } from './latency-model.ts';
import type { Ticket } from './ticket.ts';

export class Draft<Cargo> {
  readonly tickets: Ticket<Cargo>[];
  rows = 0;

  readonly #curve: LatencyCurve;
  readonly #now: Instant;
  /** Earliest deadlines of the members that are on their plan, and of those behind. */
  #kept: Instant = Infinity;
  #hoped: Instant = Infinity;

  /** @param tickets an empty list, which the members are added to. */
  constructor(tickets: Ticket<Cargo>[], curve: LatencyCurve, now: Instant) {
    this.tickets = tickets;
    this.#curve = curve;
    this.#now = now;
  }

  /** Whether everybody is in time when `ticket` rides along. */
  fits(ticket: Ticket<Cargo>): boolean {
    const now = this.#now;
    const rows = this.rows + ticket.rows;
    const kept = isOnPlan(ticket, now) ? Math.min(this.#kept, ticket.deadline) : this.#kept;
    const hoped = Math.min(this.#hoped, ticket.deadline);
    return now + this.#curve.p99(rows, now) <= kept && now + this.#curve.p50(rows, now) <= hoped;
  }

  add(ticket: Ticket<Cargo>): void {
    this.tickets.push(ticket);
    this.rows += ticket.rows;
    if (isOnPlan(ticket, this.#now)) this.#kept = Math.min(this.#kept, ticket.deadline);
    else this.#hoped = Math.min(this.#hoped, ticket.deadline);
  }
}

function isOnPlan(ticket: Ticket, now: Instant): boolean {
  return now <= ticket.startBy;
}
