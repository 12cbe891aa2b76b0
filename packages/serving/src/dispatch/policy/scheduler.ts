/**
 * Combines the policies: which requests are accepted, and what a free replica runs next. It holds
 * no promises, threads or timers; the dispatcher and the simulation in the tests use the same
 * class.
 *
 *   offer ──▶ admission ──▶ queue ──▶ selection + batcher ──▶ next ──▶ start … finish
 */
import type { WeightOf } from '../queue/deadline-queue.ts';
import type { Instant } from '../../contract.ts';
import { assess, type Backlog, type Candidate, type Verdict } from './admission.ts';
import { Caution } from './caution.ts';
import { decideBatch, type BatchDecision } from './batcher.ts';
import { rowsToTry } from './exploration.ts';
import { DeadlineQueue } from '../queue/deadline-queue.ts';
import { Selection } from './selection.ts';
import { Servers, type Server } from '../queue/servers.ts';
import type { Standing } from '../queue/timeline.ts';
import type { Lane, Ticket } from '../queue/ticket.ts';
import { replicaTuning } from '../replica-tuning.ts';
import { tuning } from '../tuning.ts';

export type Refusal = 'QUEUE_FULL' | 'DEADLINE_UNREACHABLE' | 'NO_REPLICA';

export interface SchedulerOptions {
  /** Weight of a tenant. */
  readonly weightOf: WeightOf;
  /** Rows that one run may hold. */
  readonly maxRows: number;
  /** Largest number of queued requests. */
  readonly maxRequests: number;
  /** The deployment's objective, in milliseconds. */
  readonly objectiveMs: number;
}

export class Scheduler<Payload> {
  readonly queue: DeadlineQueue<Payload>;
  readonly servers = new Servers();
  maxRows: number;
  /** When to call `next` again without an event; Infinity if never. */
  wakeAt: Instant = Infinity;
  /** Result of the last offer: why it was refused, and in how many milliseconds it would be accepted. */
  readonly verdict: Verdict = { lateMs: 0, reason: undefined };

  readonly #options: SchedulerOptions;
  readonly #selection: Selection<Payload>;
  readonly #caution = new Caution();
  readonly #decision: BatchDecision = {
    rows: 0,
    waitUntil: Infinity,
  };
  readonly #standing: Standing<Payload> = {
    before: undefined,
    workBefore: 0,
    latestFreeBehind: Infinity,
  };
  readonly #backlog: Backlog = {
    now: 0,
    replicas: 1,
    freeAt: 0,
    workBefore: 0,
    latestFreeBehind: Infinity,
    caution: 0,
  };
  readonly #candidate: Candidate = {
    startBy: 0,
    work: 0,
    leastWork: 0,
    level: 0,
    tenantWork: 0,
    tenantReach: Infinity,
  };
  /** Accepted requests of sizes that had not run. */
  probes = 0;

  #decisions = 0;
  /** Level of the estimates that the queued requests are priced at. */
  #bookedLevel = 1;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.maxRows = options.maxRows;
    const { weightOf, objectiveMs } = options;
    this.queue = new DeadlineQueue({ weightOf, levelMs: objectiveMs * tuning.levelObjectives });
    this.#selection = new Selection(this.queue, this.servers, (lane, rows) =>
      bestRows(lane, rows, this.#goodRows(lane, objectiveMs)),
    );
  }

  /** To be called after the list of servers has changed. */
  serversChanged(): void {
    this.queue.timeline.setReplicas(this.servers.count);
  }

  /** Accepts the ticket into the queue, or returns the refusal. */
  offer(ticket: Ticket<Payload>, now: Instant): Refusal | undefined {
    const refusal = this.judge(ticket, now);
    if (refusal !== undefined) {
      if (refusal === 'DEADLINE_UNREACHABLE' && this.#isIdle) ticket.lane.curve.refuse(now);
      return refusal;
    }
    if (ticket.isProbe && ticket.lane.curve.isExtrapolated(ticket.rows)) this.probes++;
    ticket.lane.arrivals.note(ticket.rows, now);
    ticket.enqueuedAt = now;
    this.queue.push(ticket);
    return undefined;
  }

  /** The result of an offer now; the ticket is priced, and nothing is queued. */
  judge(ticket: Ticket<Payload>, now: Instant): Refusal | undefined {
    const { servers, queue, verdict } = this;
    const { tenant } = ticket;
    verdict.reason = undefined;
    this.#rebook(ticket.lane);
    if (servers.list.length === 0 && servers.expectedAt === undefined) {
      verdict.lateMs = Infinity;
      return 'NO_REPLICA';
    }
    const reach = queue.reachOf(tenant);
    const free = this.#options.maxRequests - queue.requests;
    if (free <= 0 || tenant.requests > free * reach) {
      verdict.lateMs = servers.nextFree(now) - now;
      return 'QUEUE_FULL';
    }
    this.#price(ticket, reach, now);
    if (verdict.lateMs > 0 && !this.#probes(ticket, reach, now)) {
      return servers.list.length === 0 ? 'NO_REPLICA' : 'DEADLINE_UNREACHABLE';
    }
    return undefined;
  }

  /** Predicted time until the answer to a ticket that has just been judged, in milliseconds. */
  finishMs({ deadline, startBy }: Ticket<Payload>, now: Instant): number {
    const { replicas, freeAt, workBefore } = this.#backlog;
    return Math.max(0, (freeAt + workBefore) / replicas - now) + deadline - startBy;
  }

  /** Queues a ticket that was accepted before, whatever the backlog. */
  requeue(ticket: Ticket<Payload>, now: Instant): void {
    ticket.isProbe = ticket.lane.curve.isExtrapolated(ticket.rows);
    this.#price(ticket, Infinity, now);
    ticket.enqueuedAt = now;
    this.queue.push(ticket);
  }

  /** Predicted wait of a request that arrives now, before its own run, in milliseconds. */
  delay(now: Instant): number {
    const { servers, queue } = this;
    const free = servers.sumFree(now, 'freeAt') + queue.timeline.work;
    return Math.max(0, free / servers.count - now);
  }

  /**
   * Fills `batch` with the next run of an idle replica; leaves it empty if there is nothing to run
   * yet. Requests whose deadline cannot be met any more go to `missed`. Sets `wakeAt`.
   */
  next(now: Instant, batch: Ticket<Payload>[], missed: Ticket<Payload>[]): void {
    const { queue } = this;
    const { timeline } = queue;
    this.wakeAt = Infinity;
    if (timeline.first !== undefined) this.#rebook(timeline.first.lane);
    for (;;) {
      const due = timeline.first;
      if (due === undefined || latestStart(due) >= now) break;
      queue.remove(due);
      missed.push(due);
    }
    const idle = this.servers.idle;
    if (idle > 0) this.#choose(idle, now, batch);
    // Wake up to fail the first request even if no replica becomes free.
    const due = timeline.first;
    if (due !== undefined) this.wakeAt = Math.min(this.wakeAt, latestStart(due) + 1);
  }

  /** Whether the next run takes all that waits: of this lane, in time, and as many rows as are best in one run. */
  runsAllNext(lane: Lane<Payload>, now: Instant): boolean {
    const { queue, servers } = this;
    if (servers.list.length !== 1 || queue.requests !== lane.requests || queue.probes > 0) {
      return false;
    }
    const worthRows = Math.min(this.maxRows, this.#goodRows(lane, this.#options.objectiveMs));
    if (!lane.batches || bestRows(lane, lane.rows, worthRows) !== lane.rows) return false;
    // The next decision tries another number.
    if ((this.#decisions + 1) % (replicaTuning.preparedTries * tuning.tryEvery) === 0) return false;
    const due = queue.timeline.first!.deadline;
    return servers.sumFree(now, 'freeBy') + lane.curve.p99(lane.rows) <= due;
  }

  /** The next run was chosen by `runsAllNext`, and not by `next`. */
  skipDecision(): void {
    this.#decisions++;
  }

  /** Records a run on an idle replica. */
  start(server: Server, batch: readonly Ticket<Payload>[], rows: number, now: Instant): void {
    const { curve } = batch[0]!.lane;
    const takes = curve.p50(rows);
    server.rows = rows;
    server.isProbe = batch[0]!.isProbe;
    server.startedAt = now;
    server.freeAt = now + takes;
    server.freeBy = now + curve.p99(rows);
    for (const ticket of batch) this.queue.charge(ticket.tenant, (takes * ticket.rows) / rows);
  }

  /**
   * Records the end of a run.
   * @param batch requests that it has answered; empty if the run has failed.
   */
  finish(server: Server, batch: readonly Ticket<Payload>[], now: Instant): void {
    for (const { deadline, enqueuedAt, isProbe } of batch) {
      if (!isProbe) this.#caution.note((deadline - now) / (deadline - enqueuedAt));
    }
    server.rows = 0;
    server.isProbe = false;
    server.freeAt = now;
    server.freeBy = now;
    server.idleSince = now;
  }

  /**
   * Queued requests were priced when they arrived. If runs now take much longer or shorter, their
   * prices are scaled, so that new requests are compared with current costs.
   */
  #rebook({ curve: { level } }: Lane<Payload>): void {
    const ratio = level / this.#bookedLevel;
    if (ratio < tuning.paceFar && ratio > 1 / tuning.paceFar) return;
    this.#bookedLevel = level;
    if (this.queue.requests > 0) this.queue.scale(ratio);
  }

  /**
   * Whether the ticket is accepted as a probe. An extrapolated cost is no reason to refuse: one
   * request at a time is accepted if it could be in time at the optimistic bound, and its run shows
   * the cost. For the promises to others, those that are given and those to come, it counts at the
   * extrapolation. `verdict` then decides when the next probe may be accepted. An idle node that has
   * refused others accepts a request of a known size in the same way.
   */
  #probes(ticket: Ticket<Payload>, reach: number, now: Instant): boolean {
    const { queue, servers, verdict } = this;
    const { curve } = ticket.lane;
    const isUnseen = curve.isExtrapolated(ticket.rows);
    if (!isUnseen && !(this.#isIdle && curve.isDoubted(now))) return false;
    ticket.isProbe = true;
    this.#price(ticket, reach, now);
    if (verdict.lateMs > 0) return false;
    if (queue.probes > 0 || servers.list.some(({ isProbe }) => isProbe)) {
      verdict.lateMs = Math.max(1, servers.nextFree(now) - now);
      verdict.reason = 'probe';
      return false;
    }
    return true;
  }

  get #isIdle(): boolean {
    return this.queue.requests === 0 && this.servers.runningRows === 0;
  }

  /** Computes the cost and latest start of the ticket, stores both in it, and judges it. */
  #price(ticket: Ticket<Payload>, reach: number, now: Instant): void {
    const { lane, rows, deadline, tenant, isProbe } = ticket;
    const { curve } = lane;
    const backlog = this.#backlog;
    const candidate = this.#candidate;
    const standing = this.#standing;
    this.queue.timeline.standing(deadline, standing);
    backlog.now = now;
    backlog.replicas = this.servers.count;
    backlog.freeAt = this.servers.sumFree(now, 'freeBy');
    backlog.workBefore = standing.workBefore;
    backlog.latestFreeBehind = standing.latestFreeBehind;
    backlog.caution = this.#caution.share;

    // It ends with the batch that its deadline allows. Behind rows of its own lane it costs only
    // what it adds to their run; otherwise it may have to run alone, as a probe does.
    const batchRows = Math.max(rows, this.#goodRows(lane, deadline - now));
    const ahead = standing.before?.lane === lane ? standing.before.fill : 0;
    const joins = !isProbe && ahead > 0 && ahead + rows <= batchRows;
    ticket.fill = joins ? ahead + rows : rows;
    ticket.work = joins ? Math.max(0, curve.p50(ahead + rows) - curve.p50(ahead)) : curve.p50(rows);
    const leastMs = isProbe ? curve.leastMs(rows, now) : undefined;
    ticket.startBy = deadline - (leastMs ?? curve.p99(batchRows));

    candidate.startBy = ticket.startBy;
    candidate.work = ticket.work;
    candidate.leastWork = leastMs ?? ticket.work;
    candidate.level = ticket.level;
    candidate.tenantWork = tenant.work;
    candidate.tenantReach = reach;
    assess(backlog, candidate, this.verdict);
  }

  /** @param budgetMs from arrival to deadline. */
  #goodRows(lane: Lane<Payload>, budgetMs: number): number {
    return lane.batches ? lane.curve.efficientRows(this.maxRows, budgetMs * tuning.batchShare) : 1;
  }

  #choose(idle: number, now: Instant, batch: Ticket<Payload>[]): void {
    if (this.queue.requests === 0) return;
    const first = this.#selection.first(now);
    this.#decide(first, idle, now);
    const { rows, waitUntil } = this.#decision;
    if (rows > 0) this.#selection.fill(first, rows, now, batch);
    this.wakeAt = waitUntil;
  }

  #decide(first: Ticket<Payload>, idle: number, now: Instant): void {
    const { lane } = first;
    const { queue, servers } = this;
    const { objectiveMs } = this.#options;
    if (first.isProbe) {
      this.#decision.rows = first.rows;
      this.#decision.waitUntil = Infinity;
      return;
    }
    const maxRows = lane.batches ? this.maxRows : 1;
    const waitingRows = lane.batches ? lane.rows : first.rows;
    const slackMs = queue.timeline.latestFree - servers.sumFree(now, 'freeAt');
    const worthRows = this.#goodRows(lane, objectiveMs);
    const mostRows = Math.min(maxRows, Math.ceil(waitingRows / idle));
    const goodRows = rowsToTry(
      {
        decision: ++this.#decisions,
        goodRows: bestRows(lane, mostRows, worthRows),
        mostRows,
        longestMs: objectiveMs * tuning.batchShare,
        slackMs,
      },
      lane.curve,
    );
    decideBatch(
      {
        now,
        curve: lane.curve,
        maxRows,
        goodRows,
        worthRows,
        waitingRows,
        firstRows: first.rows,
        firstDeadline: first.deadline,
        firstStartBy: first.startBy,
        firstEnqueuedAt: first.enqueuedAt,
        idle,
        idleSince: servers.idlest!.idleSince,
        othersWait: queue.requests > lane.requests,
        arrivalsPerMs: lane.arrivals.perMs(now),
        mayIdleUntil: now + slackMs,
      },
      this.#decision,
    );
  }
}

/** Best number of rows for a run while `rows` are queued; `worthRows` if there are enough. */
function bestRows<Payload>({ curve }: Lane<Payload>, rows: number, worthRows: number): number {
  return rows < worthRows ? curve.batchRowsOf(rows) : worthRows;
}

/** Until when a request can be answered in time at the median; for a probe, at the optimistic bound. */
function latestStart({ isProbe, startBy, deadline, lane, rows }: Ticket): Instant {
  return isProbe ? startBy : deadline - lane.curve.p50(rows);
}
