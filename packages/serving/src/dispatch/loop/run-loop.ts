/**
 * The loop around the policies of one version: gives idle replicas their next runs, and every
 * request of a run its answer or its failure.
 *
 *   offer ─▶ (queue) ─▶ pump ─▶ join ─▶ replica ─▶ split ─▶ answer
 *     │                  ▲                │
 *     └─▶ refusal        └── arrival, end of a run, alarm
 *
 * A request costs one promise and one ticket, a version one timer. An idle replica is offered every
 * arrival at once, and the end of a run starts the next one before its answers are delivered. The
 * replica therefore computes while this thread reads and writes, instead of the two alternating.
 */
import { SkeinError } from '@skein/api';
import type { Signature } from '@skein/onnx';
import { RuntimeFailure, type RunResult } from '@skein/runtime';
import type { Clock, Instant, Prediction, ServingObserver } from '../../contract.ts';
import type { TenantPenalties } from '../../quarantine/tenant-penalties.ts';
import type { Warmth } from '../cost/warming.ts';
import { levelOf } from '../policy/admission.ts';
import { Scheduler, type Refusal } from '../policy/scheduler.ts';
import type { WeightOf } from '../queue/deadline-queue.ts';
import { Ticket, type Lane } from '../queue/ticket.ts';
import { Alarm } from './alarm.ts';
import { BatchRun } from './batch-run.ts';
import type { InlineRuns } from './inline-runs.ts';
import { cancelled, type Pending } from './pending.ts';
import { PreparedBatch } from './prepared-batch.ts';
import { explainRefusal } from './refusal.ts';
import { RunTimeout, type Replica } from './replica.ts';
import { elementsPerRow } from './request-check.ts';
import { ThreadLoad } from './thread-load.ts';
import type { VersionReplicas } from './version-replicas.ts';

export interface RunLoopOptions {
  readonly deployment: string;
  readonly version: string;
  readonly signature: Signature;
  readonly replicas: VersionReplicas;
  readonly clock: Clock;
  readonly observer: ServingObserver;
  readonly penalties: TenantPenalties | undefined;
  readonly weightOf: WeightOf;
  readonly maxRows: number;
  readonly maxRequests: number;
  readonly objectiveMs: number;
  readonly inlineRuns: InlineRuns;
  /** The queue is empty: a deferred scale-down or drain can happen. */
  readonly onEmpty: () => void;
}

type Waiting = Ticket<Pending>;

export class RunLoop {
  readonly scheduler: Scheduler<Pending>;

  readonly #options: RunLoopOptions;
  readonly #inputNames: readonly string[];
  readonly #alarm: Alarm;
  /** The run of each busy replica. */
  readonly #running = new Map<Replica, BatchRun>();
  readonly #missed: Waiting[] = [];
  readonly #prepared: PreparedBatch;
  readonly #threadLoad = new ThreadLoad();

  constructor(options: RunLoopOptions) {
    this.#options = options;
    this.#inputNames = options.signature.inputs.map(({ name }) => name);
    this.#alarm = new Alarm(options.clock, () => this.pump());
    this.scheduler = new Scheduler(options);
    this.#prepared = new PreparedBatch(this.scheduler, options.signature.outputs.length);
  }

  get isRunning(): boolean {
    return this.#running.size > 0;
  }

  /** Queues a request or fails it with the refusal. @returns whether it is accepted. */
  offer(pending: Pending, now: Instant): boolean {
    const { request } = pending;
    const apart = this.#options.penalties?.isSuspect(request.tenant) ?? false;
    const ticket = this.#ticket(pending, apart, now);
    this.#expect();
    this.#options.inlineRuns.arrive(this.scheduler.queue.requests === 0);
    const refusal = this.scheduler.offer(ticket, now);
    if (refusal !== undefined) {
      pending.fail(this.#explain(refusal, ticket, now), now);
      return false;
    }
    pending.onCancel(() => this.#cancel(ticket));
    // At once, not at the end of the iteration: gathering first makes this thread and the replica
    // alternate (measured at 16 connections: 30 % less throughput).
    if (this.scheduler.servers.idle > 0) {
      this.pump();
    } else {
      this.#pollOverdue(now);
      if (this.#threadLoad.waits) this.#prepared.add(ticket, now);
      else this.#prepared.withdraw();
      this.#alarm.at(request.deadline);
    }
    return true;
  }

  /** The result of `offer` without its effect, and when the answer would be ready. Scaled to zero, a request wakes a replica. */
  predict(pending: Pending, now: Instant): Prediction {
    const ticket = this.#ticket(pending, false, now);
    this.#expect();
    const { servers } = this.scheduler;
    const wokenAt = servers.list.length === 0 ? this.#options.replicas.wokenAt() : undefined;
    if (servers.list.length === 0) servers.expectedAt ??= wokenAt;
    const wakes = wokenAt !== undefined;
    const refusal = this.scheduler.judge(ticket, now);
    if (refusal === undefined) return { finishMs: this.scheduler.finishMs(ticket, now), wakes };
    return { refusal: this.#explain(refusal, ticket, now), wakes };
  }

  /** Gives idle replicas their next runs, and sets the alarm. */
  pump(): void {
    const now = this.#options.clock.now();
    const scheduler = this.scheduler;
    if (scheduler.servers.idle > 0) {
      const begun = this.#prepared.withdraw();
      // The end of its run before pumps again.
      if (begun !== undefined) return begun.poll();
    }
    for (;;) {
      const batch: Waiting[] = [];
      scheduler.next(now, batch, this.#missed);
      for (const { payload } of this.#missed) payload.giveUp(now);
      this.#missed.length = 0;
      if (batch.length === 0) break;
      this.#run(scheduler.servers.idlest as Replica, batch, now);
    }
    if (scheduler.servers.list.length === 0) this.#failQueued(now);
    for (const run of this.#running.values()) {
      if (run.failsAt <= now) run.expire(now);
      this.#alarm.at(run.failsAt);
    }
    this.#alarm.at(scheduler.wakeAt);
    if (scheduler.queue.requests === 0) this.#options.onEmpty();
  }

  /**
   * Polls for results that should be there. One iteration of the event loop may read sixteen
   * requests, and a run that ends meanwhile would leave its replica idle until the last of them.
   */
  #pollOverdue(now: Instant): void {
    for (const server of this.scheduler.servers.list) {
      if (server.rows > 0 && now >= server.freeAt) (server as Replica).poll();
    }
  }

  /** No replica exists or is starting: fail every queued request. */
  #failQueued(now: Instant): void {
    const { queue, verdict } = this.scheduler;
    if (queue.requests === 0 || this.#options.replicas.expectedAt() !== undefined) return;
    verdict.lateMs = Infinity;
    for (;;) {
      const ticket = queue.timeline.first;
      if (ticket === undefined) return;
      queue.remove(ticket);
      if (ticket.payload.losses > 0) ticket.payload.lose(now);
      else ticket.payload.fail(this.#explain('NO_REPLICA', ticket, now), now);
    }
  }

  /** The drain deadline has passed: fails the remaining requests and ends every replica, running or not. */
  async cutOff(): Promise<void> {
    const now = this.#options.clock.now();
    const { queue } = this.scheduler;
    const fail = ({ payload }: Waiting): void => {
      const message = `Request ${payload.request.id} was not answered before the version had to end.`;
      payload.fail(new SkeinError('NODE_DRAINING', message), now);
    };
    for (let ticket = queue.timeline.first; ticket !== undefined; ticket = queue.timeline.first) {
      queue.remove(ticket);
      fail(ticket);
    }
    const closed = this.#options.replicas.close();
    for (const [replica, run] of this.#running) {
      this.#ended(replica);
      this.#prepared.drop(replica);
      this.scheduler.finish(replica, [], now);
      run.tickets.forEach(fail);
      replica.lose(new RuntimeFailure('lost', 'The drain deadline has passed.'));
    }
    this.stop();
    await closed;
  }

  /** A batch of more rows, or of one if they must not share a run. */
  adopt(warmth: Warmth): void {
    this.#options.replicas.warmth = warmth;
    this.scheduler.maxRows = warmth.maxRows;
  }

  stop(): void {
    this.#alarm.stop();
    this.#options.inlineRuns.stop();
  }

  // Runs.

  #run(replica: Replica, batch: readonly Waiting[], now: Instant): void {
    const mayInline = batch.length === 1 && replica.isolation === 'thread';
    const inline = mayInline ? this.#options.inlineRuns.sessionFor(batch[0]!, now) : undefined;
    const run = new BatchRun(batch, now, inline);
    const begin = (): Promise<RunResult> =>
      run.start(replica, this.#inputNames, this.#options.clock);
    this.#begin(replica, run, begin, now);
  }

  /** Begins the prepared run of a replica whose run has ended, unless it has none. */
  #runPrepared(replica: Replica, now: Instant): void {
    const prepared = this.#prepared.take(replica);
    if (prepared === undefined) return;
    const { tickets, run } = prepared;
    replica.begin(run.result);
    this.#begin(replica, new BatchRun(tickets, now), () => run.result as Promise<RunResult>, now);
  }

  #begin(replica: Replica, run: BatchRun, begin: () => Promise<RunResult>, now: Instant): void {
    const { tickets } = run;
    this.scheduler.start(replica, tickets, run.rows, now);
    this.#running.set(replica, run);
    this.#options.inlineRuns.thread.running++;
    this.#threadLoad.note();
    replica.timesOutAt = run.timesOutAt(replica, this.#options.objectiveMs);
    begin().then(
      (result) => this.#ran(replica, run, result),
      (error: unknown) => this.#broke(replica, run, error),
    );
  }

  #ran(replica: Replica, run: BatchRun, result: RunResult): void {
    if (this.#running.get(replica) !== run) return;
    const { clock, deployment, observer } = this.#options;
    const { tickets, rows, startedAt } = run;
    const now = clock.now();
    // A prepared run began before this thread read the message.
    const { inputMs, computeMs, outputMs } = result;
    const tookMs = Math.max(now - startedAt, inputMs + computeMs + outputMs);
    const isInline = run.inline !== undefined;
    if (!isInline) tickets[0]!.lane.curve.record(rows, tookMs, now);
    if (tickets.length === 1) this.#options.inlineRuns.ran(tickets[0]!, computeMs, isInline, now);
    replica.runs++;
    this.#release(replica, tickets, now);
    observer.batchRan(deployment, this.#options.version, rows, result);
    const uneven = run.uneven(result);
    if (uneven !== undefined) {
      const unbatched = `Output "${uneven}" does not have one row per row of input.`;
      this.adopt({ maxRows: 1, unbatched });
      for (const ticket of tickets) this.#again(ticket, now);
    }
    this.pump();
    if (uneven === undefined) run.answer(this.#options.version, result, now);
  }

  /** A run has not given a result, or its replica is gone. */
  #broke(replica: Replica, run: BatchRun, error: unknown): void {
    if (this.#running.get(replica) !== run) return;
    const now = this.#options.clock.now();
    const failure = error instanceof RuntimeFailure ? error : undefined;
    const isLost = failure?.kind === 'lost';
    if (isLost) this.#prepared.drop(replica);
    this.#release(replica, [], now);
    if (isLost) {
      replica.lose(failure);
      const tenants = new Set(run.tickets.map(({ payload }) => payload.request.tenant));
      this.#options.penalties?.note(tenants);
    }
    for (const ticket of run.tickets) {
      const { payload } = ticket;
      // Its inputs may have been freed.
      if (payload.settled) continue;
      if (isLost) {
        payload.lostAlone = run.tickets.length === 1;
        payload.overran = failure instanceof RunTimeout;
        this.#retry(ticket, now);
      } else if (run.tickets.length > 1) {
        // One request failed the whole batch: run each alone, so that only that one fails.
        this.#again(ticket, now);
      } else {
        payload.failRun(error, now);
      }
    }
    this.pump();
  }

  #release(replica: Replica, answered: readonly Waiting[], now: Instant): void {
    this.#ended(replica);
    this.scheduler.finish(replica, answered, now);
    this.#runPrepared(replica, now);
    replica.settle();
  }

  #ended(replica: Replica): void {
    this.#running.delete(replica);
    this.#options.inlineRuns.thread.running--;
  }

  // Requests.

  #ticket(pending: Pending, alone: boolean, now: Instant): Waiting {
    const { request, demand } = pending;
    const { queue } = this.scheduler;
    const key = alone ? `${demand.laneKey}!` : demand.laneKey;
    const lane = queue.lane(key) ?? this.#addLane(key, pending, alone);
    const tenant = queue.tenant(request.tenant, now);
    const level = levelOf(request.priority);
    return new Ticket(pending, lane, tenant, demand.rows, request.deadline, level);
  }

  #addLane(key: string, { request, demand }: Pending, alone: boolean): Lane<Pending> {
    const elements = elementsPerRow(this.#options.signature, request.inputs, demand);
    return this.scheduler.queue.addLane(
      key,
      demand.batches && !alone,
      this.#options.replicas.model.curve(elements),
    );
  }

  #cancel(ticket: Waiting): void {
    const { payload } = ticket;
    if (ticket.isWaiting) this.scheduler.queue.remove(ticket);
    payload.fail(cancelled(payload.request), this.#options.clock.now());
    if (this.scheduler.queue.requests === 0) this.#options.onEmpty();
  }

  /** Queues a request again, to run alone. */
  #again({ payload }: Waiting, now: Instant): void {
    if (payload.settled) return;
    const alone = this.#ticket(payload, true, now);
    this.scheduler.requeue(alone, now);
    payload.onCancel(() => this.#cancel(alone));
  }

  /** Retries a request whose replica was lost, once, if there is time and a replica. */
  #retry(ticket: Waiting, now: Instant): void {
    const { payload, deadline, lane, rows } = ticket;
    this.#expect();
    payload.losses++;
    const finish = this.scheduler.servers.nextFree(now) + lane.curve.p50(rows);
    const looped = payload.overran && payload.lostAlone;
    if (looped || payload.losses > 1 || finish > deadline) payload.lose(now);
    else this.#again(ticket, now);
  }

  #explain(refusal: Refusal, ticket: Waiting, now: Instant): SkeinError {
    const { queue, verdict } = this.scheduler;
    const { rows, lane } = ticket;
    const isExtrapolated = ticket.isProbe && lane.curve.isExtrapolated(rows);
    return explainRefusal(refusal, {
      version: this.#options.version,
      request: ticket.payload.request,
      now,
      verdict,
      waiting: queue.requests,
      tenantWaiting: ticket.tenant.requests,
      runMs: isExtrapolated ? lane.curve.leastMs(rows, now) : lane.curve.p99(rows),
      isExtrapolated,
      runs: isExtrapolated ? this.#options.replicas.model.evidence.runs : lane.curve.runs,
      failed: this.#options.replicas.failed,
      triesAgainAt: this.#options.replicas.triesAgainAt,
    });
  }

  // Replicas.

  /** Without a replica, requests may wait for the one that is expected. */
  #expect(): void {
    const { servers } = this.scheduler;
    if (servers.list.length === 0) servers.expectedAt = this.#options.replicas.expectedAt();
  }

  /** To be called after every change of a replica's state. */
  replicaChanged(replica: Replica): void {
    const { deployment, version, observer } = this.#options;
    const { list } = this.scheduler.servers;
    const position = list.indexOf(replica);
    if (replica.state === 'ready') list.push(replica);
    else if (position >= 0) list.splice(position, 1);
    this.scheduler.serversChanged();
    observer.replicaChanged(deployment, version, replica.snapshot());
    if (replica.state === 'ready' || replica.state === 'gone') this.#alarm.soon();
    const run = this.#running.get(replica);
    if (replica.state === 'gone' && run !== undefined) {
      // Only once its replacement is starting, which its requests may wait for.
      queueMicrotask(() => this.#broke(replica, run, replica.failure));
    }
  }
}
