/**
 * A batch under construction: it grows as long as the whole batch meets the deadline of each
 * member.
 *
 * A member on its plan (it can still start in time) is checked at p99. A member behind its plan,
 * because runs took longer than predicted, is checked at the median: its promise is lost already,
 * and a small batch for it would break the promises of other requests.
 */
import type { Instant } from '../contract.ts';
import type { LatencyCurve } from './latency-model.ts';
import type { Ticket } from './ticket.ts';

export class Draft<Cargo> {
  readonly tickets: Ticket<Cargo>[];
  rows = 0;

  readonly #curve: LatencyCurve;
  readonly #now: Instant;
  /** Earliest deadlines of the members on their plan, and of those behind it. */
  #kept: Instant = Infinity;
  #hoped: Instant = Infinity;

  /** @param tickets an empty list, to which the members are added. */
  constructor(tickets: Ticket<Cargo>[], curve: LatencyCurve, now: Instant) {
    this.tickets = tickets;
    this.#curve = curve;
    this.#now = now;
  }

  /** Whether all members are in time with `ticket` added. */
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
