/**
 * The policies put together: who is accepted, and what a free replica runs next. It knows nothing
 * of promises, threads or timers; the dispatcher and the simulation in the tests drive the same one.
 *
 * Two orders meet here. Whose turn it is (fair among tenants, urgent levels first) is served as
 * long as the rest stays on time behind it; where that would break a promise, the earliest deadline
 * goes first. So fairness and priority decide how long one waits, never whether a promise is kept.
 */
import type { Clock, Instant } from '../contract.ts';
import { assess, type Backlog, type Candidate, type Verdict } from './admission.ts';
import { decideBatch, type BatchDecision, type BatchView } from './batcher.ts';
import { DeadlineQueue, type Lane, type QueueOptions } from './deadline-queue.ts';
import type { Standing } from './timeline.ts';
import type { Ticket } from './ticket.ts';

/** What the scheduler keeps of each replica that takes work. */
export interface Server {
  /** Rows that it runs; 0 while idle. */
  rows: number;
  startedAt: Instant;
  /** When the run should end at p50 and at p99. */
  freeAt: Instant;
  freeBy: Instant;
  idleSince: Instant;
}

export type Refusal = 'QUEUE_FULL' | 'DEADLINE_UNREACHABLE' | 'NO_REPLICA';

export interface SchedulerOptions extends QueueOptions {
  readonly clock: Clock;
  readonly maxRows: number;
  /** Requests that may wait. */
  readonly maxRequests: number;
  /** The deployment's objective, in milliseconds. */
  readonly objectiveMs: number;
}

/** A batch may take at most this part of the time that its requests have, so that they can wait for the one before. */
const BATCH_SHARE = 0.5;
/** Every so many batches, a larger one is tried where it is safe: what is never run is never learnt. */
const EXPLORE_EVERY = 32;
/** Places of the timeline that are searched for members of a batch, in rows of the batch. */
const SEARCH = 4;

export class Scheduler<Cargo> {
  readonly queue: DeadlineQueue<Cargo>;
  /** The replicas that take work. */
  readonly servers: Server[] = [];
  /** When the first replica is expected to be ready, while there is none; undefined if none is on its way. */
  expectedAt: Instant | undefined;
  maxRows: number;
  /** When `next` should be called again although nothing has happened; Infinity if never. */
  wakeAt: Instant = Infinity;
  /** Of the last refusal: why, and after how many milliseconds the same request would be accepted. */
  readonly verdict: Verdict = { lateMs: 0, reason: undefined };

  readonly #options: SchedulerOptions;
  readonly #decision: BatchDecision = { rows: 0, waitUntil: Infinity };
  readonly #standing: Standing = { workBefore: 0, latestFreeBehind: Infinity };
  readonly #backlog: Backlog;
  readonly #candidate: Candidate;
  readonly #found: Ticket<Cargo>[] = [];
  #batches = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.maxRows = options.maxRows;
    this.queue = new DeadlineQueue(options);
    this.#backlog = { now: 0, replicas: 1, freeAt: 0, workBefore: 0, latestFreeBehind: Infinity };
    this.#candidate = { startBy: 0, work: 0, level: 0, tenantWork: 0, tenantReach: Infinity };
  }

  /** To be called after `servers` has changed. */
  serversChanged(): void {
    this.queue.timeline.setReplicas(Math.max(1, this.servers.length));
  }

  /** Accepts the ticket into the queue, or says why not. */
  offer(ticket: Ticket<Cargo>, now: Instant): Refusal | undefined {
    const { lane } = ticket;
    if (this.servers.length === 0 && this.expectedAt === undefined) {
      this.#refuse(Infinity);
      return 'NO_REPLICA';
    }
    const { tenant } = ticket;
    const { maxRequests } = this.#options;
    const reach = this.queue.reachOf(tenant);
    const room = maxRequests - this.queue.requests;
    if (room <= 0 || tenant.requests > room * reach) {
      this.#refuse(this.#nextFree(now) - now);
      return 'QUEUE_FULL';
    }
    if (!this.#promise(ticket, reach, now)) {
      return this.servers.length === 0 ? 'NO_REPLICA' : 'DEADLINE_UNREACHABLE';
    }
    this.enqueue(ticket, now);
    lane.arrivals.note(ticket.rows, now);
    return undefined;
  }

  /** Puts an accepted ticket into the queue, whatever the backlog. */
  enqueue(ticket: Ticket<Cargo>, now: Instant): void {
    ticket.enqueuedAt = now;
    this.queue.push(ticket);
  }

  /** Milliseconds that a request which arrived now would wait before its own run. */
  delay(now: Instant): number {
    const replicas = Math.max(1, this.servers.length);
    return Math.max(0, (this.#sumFree(now, 'freeAt') + this.queue.timeline.work) / replicas - now);
  }

  /** Takes out a request that cannot be answered in time any more; undefined when there is none. */
  takeHopeless(now: Instant): Ticket<Cargo> | undefined {
    const { first } = this.queue.timeline;
    if (first === undefined || !this.#isHopeless(first, now)) return undefined;
    this.queue.remove(first);
    return first;
  }

  /**
   * Fills `batch` with what an idle replica runs now; leaves it empty when there is nothing to run
   * yet and sets `wakeAt`. Requests without hope go to `hopeless`.
   */
  next(now: Instant, batch: Ticket<Cargo>[], hopeless: Ticket<Cargo>[]): void {
    const { queue } = this;
    this.wakeAt = Infinity;
    let lost: Ticket<Cargo> | undefined;
    while ((lost = this.takeHopeless(now)) !== undefined) hopeless.push(lost);
    const idle = this.#countIdle();
    if (idle > 0 && queue.requests > 0) {
      const { first, turn } = this.#chooseFirst(now);
      this.#decide(first, idle, now);
      if (this.#decision.rows > 0) this.#fill(first, turn, this.#decision.rows, now, batch);
      this.wakeAt = this.#decision.waitUntil;
    }
    const due = queue.timeline.first;
    // A request whose replica never comes back must not wait for ever.
    if (due !== undefined)
      this.wakeAt = Math.min(this.wakeAt, Math.max(now + 1, this.#hopeUntil(due, now)));
  }

  /** Books a run onto a replica. */
  start(server: Server, batch: readonly Ticket<Cargo>[], rows: number, now: Instant): void {
    const { curve } = batch[0]!.lane;
    server.rows = rows;
    server.startedAt = now;
    server.freeAt = now + curve.p50(rows, now);
    server.freeBy = now + curve.p99(rows, now);
    for (const ticket of batch) this.queue.charge(ticket);
  }

  /** Books the end of a run. */
  finish(server: Server, now: Instant): void {
    server.rows = 0;
    server.freeAt = now;
    server.freeBy = now;
    server.idleSince = now;
  }

  // Admission.

  /** Finds out how the ticket can be kept, and writes that into it. */
  #promise(ticket: Ticket<Cargo>, reach: number, now: Instant): boolean {
    const { lane, rows, deadline, tenant } = ticket;
    const { curve } = lane;
    const backlog = this.#backlog;
    const candidate = this.#candidate;
    this.queue.timeline.standing(deadline, this.#standing);
    backlog.now = now;
    backlog.replicas = Math.max(1, this.servers.length);
    backlog.freeAt = this.#sumFree(now, 'freeBy');
    backlog.workBefore = this.#standing.workBefore;
    backlog.latestFreeBehind = this.#standing.latestFreeBehind;
    candidate.level = ticket.level;
    candidate.tenantWork = tenant.work;
    candidate.tenantReach = reach;

    // It is counted as a member of the batch that its deadline allows: it ends when the batch does,
    // and costs what it adds to the rows that are there already.
    const ride = Math.max(rows, this.#goodRows(lane, deadline - now));
    let ahead = lane.rows % ride;
    if (ahead + rows > ride) ahead = 0;
    const alone = curve.p50(rows, now);
    const work = ahead === 0 ? alone : curve.p50(ahead + rows, now) - curve.p50(ahead, now);
    candidate.startBy = deadline - curve.p99(ride, now);
    candidate.work = Math.max(0, work);
    assess(backlog, candidate, this.verdict);
    if (this.verdict.lateMs > 0) return false;
    ticket.startBy = candidate.startBy;
    ticket.work = candidate.work;
    return true;
  }

  #refuse(lateMs: number): void {
    this.verdict.lateMs = lateMs;
    this.verdict.reason = undefined;
  }

  /** @param budgetMs from arrival to deadline. */
  #goodRows(lane: Lane<Cargo>, budgetMs: number): number {
    return lane.batches ? lane.curve.efficientRows(this.maxRows, budgetMs * BATCH_SHARE) : 1;
  }

  // The choice of a batch.

  /** Whose turn it is if everybody else can wait for that; else who is due. */
  #chooseFirst(now: Instant): { first: Ticket<Cargo>; turn: boolean } {
    const { timeline } = this.queue;
    const due = timeline.first!;
    const next = this.queue.next()!;
    if (next === due) return { first: next, turn: true };
    const turn = this.#canPrefer(next, next.rows, now);
    return { first: turn ? next : due, turn };
  }

  #decide(first: Ticket<Cargo>, idle: number, now: Instant): void {
    const { lane } = first;
    const { timeline } = this.queue;
    let goodRows = this.#goodRows(lane, this.#options.objectiveMs);
    if (lane.batches && ++this.#batches % EXPLORE_EVERY === 0) goodRows *= 2;
    const view: BatchView = {
      now,
      curve: lane.curve,
      maxRows: lane.batches ? this.maxRows : 1,
      goodRows,
      waitingRows: lane.batches ? lane.rows : first.rows,
      firstRows: first.rows,
      firstDeadline: first.deadline,
      firstEnqueuedAt: first.enqueuedAt,
      idle,
      idleSince: this.#idleSince(),
      othersWait: this.queue.requests > lane.requests,
      arrivalsPerMs: lane.arrivals.perMs(now),
      mayIdleUntil: now + timeline.latestFree - this.#sumFree(now, 'freeAt'),
    };
    decideBatch(view, this.#decision);
  }

  /** Takes up to `limit` rows of the first request's lane, in the order of turns, then of deadlines. */
  #fill(
    first: Ticket<Cargo>,
    turn: boolean,
    limit: number,
    now: Instant,
    batch: Ticket<Cargo>[],
  ): void {
    const { queue } = this;
    const { lane } = first;
    const { curve } = lane;
    queue.remove(first);
    batch.push(first);
    let { rows } = first;
    let tightest = this.#constraint(first, now);

    const take = (ticket: Ticket<Cargo>): boolean => {
      const total = rows + ticket.rows;
      if (total > limit) return false;
      const constraint = Math.min(tightest, this.#constraint(ticket, now));
      if (now + curve.p99(total, now) > constraint) return false;
      if (ticket !== queue.timeline.first && !this.#canPrefer(ticket, total, now)) return false;
      queue.remove(ticket);
      batch.push(ticket);
      rows = total;
      tightest = constraint;
      return true;
    };
    while (turn && rows < limit) {
      const next = queue.nextIn(lane);
      if (next === undefined) return;
      if (!take(next)) break;
    }
    if (rows >= limit || lane.requests === 0) return;
    for (const ticket of this.#dueIn(lane, limit)) if (!take(ticket)) return;
  }

  /** Whether the others stay on time when `ticket` runs now, in a batch of `rows`. */
  #canPrefer(ticket: Ticket<Cargo>, rows: number, now: Instant): boolean {
    const { timeline } = this.queue;
    const free = this.#sumFree(now, 'freeAt') + ticket.lane.curve.p50(rows, now);
    timeline.remove(ticket);
    const onTime = timeline.latestFree >= free;
    timeline.restore(ticket);
    return onTime;
  }

  /** The earliest requests of a lane by deadline, as far as a bounded search finds them. */
  #dueIn(lane: Lane<Cargo>, limit: number): readonly Ticket<Cargo>[] {
    const found = this.#found;
    found.length = 0;
    let left = limit * SEARCH;
    this.queue.timeline.each((ticket) => {
      if (ticket.lane === lane) found.push(ticket);
      return --left > 0 && found.length < limit;
    });
    return found;
  }

  /** The deadline that a batch with this ticket must keep; none when it cannot be promised any more. */
  #constraint(ticket: Ticket<Cargo>, now: Instant): Instant {
    const finish = now + ticket.lane.curve.p99(ticket.rows, now);
    return finish > ticket.deadline ? Infinity : ticket.deadline;
  }

  #hopeUntil(ticket: Ticket<Cargo>, now: Instant): Instant {
    return ticket.deadline - ticket.lane.curve.p50(ticket.rows, now);
  }

  #isHopeless(ticket: Ticket<Cargo>, now: Instant): boolean {
    return this.#hopeUntil(ticket, now) < now;
  }

  // The replicas.

  #countIdle(): number {
    let idle = 0;
    for (const server of this.servers) if (server.rows === 0) idle++;
    return idle;
  }

  #idleSince(): Instant {
    let since = Infinity;
    for (const server of this.servers) {
      if (server.rows === 0 && server.idleSince < since) since = server.idleSince;
    }
    return since;
  }

  /** Σ of when the replicas become free; that of the expected one while none is ready. */
  #sumFree(now: Instant, when: 'freeAt' | 'freeBy'): number {
    if (this.servers.length === 0) return Math.max(now, this.expectedAt ?? now);
    let sum = 0;
    for (const server of this.servers) sum += freeTime(server, when, now);
    return sum;
  }

  #nextFree(now: Instant): Instant {
    if (this.servers.length === 0) return Math.max(now, this.expectedAt ?? now);
    let next = Infinity;
    for (const server of this.servers) next = Math.min(next, freeTime(server, 'freeAt', now));
    return next;
  }
}

function freeTime(server: Server, when: 'freeAt' | 'freeBy', now: Instant): Instant {
  if (server.rows === 0) return now;
  const predicted = server[when];
  // A run that is overdue is expected to take as long again as it has been overdue (Lindy's law).
  return predicted >= now ? predicted : now + (now - predicted);
}
