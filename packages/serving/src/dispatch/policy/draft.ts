/**
 * A batch under construction: it grows as long as the whole batch meets the deadline of each
 * member.
 *
 * A member on its plan (it can still start in time) is checked at p99. A member behind its plan,
 * because runs took longer than predicted, is checked at the median: its promise is lost already,
 * and a small batch for it would break the promises of other requests.
 */
import type { Instant } from '../../contract.ts';
import type { LatencyCurve } from '../cost/latency-curve.ts';
import type { Ticket } from '../queue/ticket.ts';

export class Draft<Payload> {
  readonly tickets: Ticket<Payload>[];
  rows = 0;

  readonly #curve: LatencyCurve;
  readonly #now: Instant;
  /** Earliest deadlines of the members on their plan, and of those behind it. */
  #onPlanDeadline: Instant = Infinity;
  #behindDeadline: Instant = Infinity;

  /** @param tickets an empty list, to which the members are added. */
  constructor(tickets: Ticket<Payload>[], curve: LatencyCurve, now: Instant) {
    this.tickets = tickets;
    this.#curve = curve;
    this.#now = now;
  }

  /** Whether all members are in time with `ticket` added. */
  fits(ticket: Ticket<Payload>): boolean {
    const now = this.#now;
    const rows = this.rows + ticket.rows;
    const kept = isOnPlan(ticket, now)
      ? Math.min(this.#onPlanDeadline, ticket.deadline)
      : this.#onPlanDeadline;
    const behind = Math.min(this.#behindDeadline, ticket.deadline);
    return now + this.#curve.p99(rows) <= kept && now + this.#curve.p50(rows) <= behind;
  }

  add(ticket: Ticket<Payload>): void {
    this.tickets.push(ticket);
    this.rows += ticket.rows;
    if (isOnPlan(ticket, this.#now))
      this.#onPlanDeadline = Math.min(this.#onPlanDeadline, ticket.deadline);
    else this.#behindDeadline = Math.min(this.#behindDeadline, ticket.deadline);
  }
}

function isOnPlan(ticket: Ticket, now: Instant): boolean {
  return now <= ticket.startBy;
}
