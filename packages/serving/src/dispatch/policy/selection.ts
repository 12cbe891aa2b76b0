/**
 * Selects the members of the next batch: the first one, and those that share its run.
 *
 * It combines two orders. The fair order (between tenants, urgent levels first) is used as long as
 * all other requests stay on time behind it; if that would break a promise, the earliest deadline
 * goes first. Fairness and priority therefore decide how long a request waits, never whether a
 * promise is kept.
 */
import type { Instant } from '../../contract.ts';
import type { DeadlineQueue } from '../queue/deadline-queue.ts';
import { Draft } from './draft.ts';
import type { Servers } from '../queue/servers.ts';
import type { Lane, Ticket } from '../queue/ticket.ts';

export class Selection<Payload> {
  readonly #queue: DeadlineQueue<Payload>;
  readonly #servers: Servers;
  readonly #goodRows: (lane: Lane<Payload>, rows: number) => number;
  readonly #due: Ticket<Payload>[] = [];
  /** Whether the first member was chosen in fair order. */
  #fair = false;

  /** @param goodRows best number of rows of a lane for one run, given its queued rows. */
  constructor(
    queue: DeadlineQueue<Payload>,
    servers: Servers,
    goodRows: (lane: Lane<Payload>, rows: number) => number,
  ) {
    this.#queue = queue;
    this.#servers = servers;
    this.#goodRows = goodRows;
  }

  /** The next request in fair order if no promise breaks, otherwise the earliest deadline. The queue must not be empty. */
  first(now: Instant): Ticket<Payload> {
    const due = this.#queue.timeline.first!;
    const next = this.#queue.next()!;
    this.#fair = next === due || this.#keepsPromises(next, next.rows, now);
    return this.#fair ? next : due;
  }

  /** Removes `first` and up to `limit` rows of its lane from the queue, in fair order and then by deadline. */
  fill(first: Ticket<Payload>, limit: number, now: Instant, batch: Ticket<Payload>[]): void {
    const queue = this.#queue;
    const { lane } = first;
    const draft = new Draft(batch, lane.curve, now);
    queue.remove(first);
    draft.add(first);
    const take = (ticket: Ticket<Payload>): boolean => {
      const rows = draft.rows + ticket.rows;
      if (rows > limit || !draft.fits(ticket)) return false;
      if (ticket !== queue.timeline.first && !this.#keepsPromises(ticket, rows, now)) return false;
      queue.remove(ticket);
      draft.add(ticket);
      return true;
    };
    let fair = this.#fair;
    while (fair) {
      const next = queue.nextIn(lane);
      fair = next !== undefined && take(next);
    }
    if (draft.rows < limit && lane.requests > 0) {
      for (const ticket of this.#dueIn(lane, limit)) if (!take(ticket)) break;
    }
    this.#settle(lane);
  }

  /**
   * Whether all other requests stay on time if `ticket` runs now as the last member of a batch of
   * `rows`, or if some are late already, whether they become no later.
   */
  #keepsPromises(ticket: Ticket<Payload>, rows: number, now: Instant): boolean {
    const { timeline } = this.#queue;
    const { lane, work } = ticket;
    const free = this.#servers.sumFree(now, 'freeAt');
    const without =
      rows === ticket.rows
        ? 0
        : timeline.latestFree - free - lane.curve.p50(rows - ticket.rows) - this.#debt(lane, 0, 0);
    timeline.remove(ticket);
    const withIt =
      timeline.latestFree - free - lane.curve.p50(rows) - this.#debt(lane, ticket.rows, work);
    timeline.restore(ticket);
    return withIt >= Math.min(0, without);
  }

  /**
   * Extra cost of a lane over its tickets, once `rows` with `work` have left it. A ticket
   * that joined a batch was priced at what it adds to it; if the others run without it, that is too
   * little.
   */
  #debt(lane: Lane<Payload>, rows: number, work: number): number {
    const left = lane.rows - rows;
    if (left === 0) return 0;
    const good = this.#goodRows(lane, left);
    const rest = left % good;
    let cost = Math.floor(left / good) * lane.curve.p50(good);
    if (rest > 0) cost += lane.curve.p50(rest);
    return Math.max(0, cost - (lane.work - work));
  }

  /** Adds the lane's debt to the price of its earliest request. */
  #settle(lane: Lane<Payload>): void {
    const debt = this.#debt(lane, 0, 0);
    if (debt === 0) return;
    const due = this.#queue.dueIn(lane)!;
    this.#queue.reprice(due, due.work + debt);
  }

  /** The requests of a lane among the earliest, by deadline; as many as could run together are searched. */
  #dueIn(lane: Lane<Payload>, limit: number): readonly Ticket<Payload>[] {
    const due = this.#due;
    due.length = 0;
    let left = limit;
    this.#queue.timeline.each((ticket) => {
      if (ticket.lane === lane) due.push(ticket);
      return --left > 0;
    });
    return due;
  }
}
