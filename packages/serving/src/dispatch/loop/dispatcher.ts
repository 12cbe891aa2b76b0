/**
 * Runs one ONNX version, from admission to replica: the loop around the policies.
 *
 *   submit ─▶ check ─▶ offer ─▶ (queue) ─▶ pump ─▶ join ─▶ replica ─▶ split ─▶ answer
 *                        │                   ▲                │
 *                        └─▶ refusal         └── arrival, end of a run, alarm
 *
 * A request costs one promise and one ticket, a dispatcher one timer. An idle replica is offered
 * every arrival at once, and the end of a run starts the next one before its answers are delivered.
 * The replica therefore computes while this thread reads and writes, instead of the two
 * alternating.
 */
import { SkeinError, type DeploymentSettings } from '@skein/api';
import type { Signature } from '@skein/onnx';
import {
  RuntimeFailure,
  withCulprit,
  type ModelSource,
  type RunResult,
  type Runtime,
} from '@skein/runtime';
import type { Lane, WeightOf } from '../queue/deadline-queue.ts';
import type {
  Clock,
  InferenceAnswer,
  Instant,
  ServingObserver,
  Target,
  TargetRequest,
  TargetSnapshot,
} from '../../contract.ts';
import { MAX_OUTPUT_BYTES } from '../../model-memory.ts';
import { startTimeoutOf } from '../../settings.ts';
import type { TenantPenalties } from '../../tenant-penalties.ts';
import { levelOf } from '../policy/admission.ts';
import { Alarm } from './alarm.ts';
import { BatchRun } from './batch-run.ts';
import { LatencyModel } from '../cost/latency-model.ts';
import { cancelled, Pending } from './pending.ts';
import { timesOutAt } from '../policy/run-timeout.ts';
import { explainRefusal } from './refusal.ts';
import { RunTimeout, StartTimeout, type Replica } from './replica.ts';
import { ReplicaSet } from './replica-set.ts';
import { elementsPerRow, requestCheck, type Demand, type RequestCheck } from './request-check.ts';
import { Scheduler, type Refusal } from '../policy/scheduler.ts';
import { shapesOf, type Shapes } from '../cost/synthetic-inputs.ts';
import { Tally } from './tally.ts';
import { Ticket } from '../queue/ticket.ts';
import { tryOut } from '../cost/trial.ts';
import { warm, type Warmth } from '../cost/warming.ts';

export interface DispatcherOptions {
  readonly deployment: string;
  readonly version: string;
  readonly signature: Signature;
  readonly model: ModelSource;
  readonly settings: DeploymentSettings;
  /** Isolation of its replicas, until one of them cannot be ended; default: from the settings. */
  readonly isolation?: 'thread' | 'process' | undefined;
  /** Memory limit of the model in a replica, in bytes; default: no limit. */
  readonly maxMemoryBytes?: number | undefined;
  /** Whether the version is new: it gets a trial in a process before it runs in a thread; default: no. */
  readonly triesFirst?: boolean | undefined;
  /** Notified of every run that ended its replica. */
  readonly penalties?: TenantPenalties | undefined;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly observer: ServingObserver;
  /** Weight of a tenant; equal weights if absent. */
  readonly weightOf?: WeightOf | undefined;
}

type Waiting = Ticket<Pending>;

/** Start timeout of a version that has served before, as a multiple: a starting node loads all versions at once. */
const PROVEN_TIMES = 5;

/** Creates a version without replicas: `scaleTo` starts them. */
export function createDispatcher(options: DispatcherOptions): Target {
  return new Dispatcher(options);
}

class Dispatcher implements Target {
  readonly kind = 'onnx';
  readonly version: string;
  readonly signature: Signature;

  readonly #options: DispatcherOptions;
  readonly #check: RequestCheck;
  readonly #inputNames: readonly string[];
  readonly #model = new LatencyModel();
  readonly #tally: Tally;
  readonly #alarm: Alarm;
  readonly #scheduler: Scheduler<Pending>;
  readonly #replicas: ReplicaSet;
  /** The run of each busy replica. */
  readonly #running = new Map<Replica, BatchRun>();
  readonly #missed: Waiting[] = [];
  #wanted = 0;
  /** Isolation of replicas that are started now. */
  #isolation: 'thread' | 'process';
  #warmth: Warmth | undefined;
  /** Shapes of a real request, for warming the next replica. */
  #seen: Shapes | undefined;
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(options: DispatcherOptions) {
    const { settings, signature, clock, version } = options;
    const objectiveMs = settings.objective.latencyMs;
    this.#options = options;
    this.version = version;
    this.signature = signature;
    this.#check = requestCheck(signature, settings.finiteOnly);
    this.#inputNames = signature.inputs.map(({ name }) => name);
    this.#tally = new Tally(options.observer);
    this.#alarm = new Alarm(clock, () => this.#pump());
    this.#scheduler = new Scheduler({
      maxRows: settings.batching.maxRows,
      maxRequests: settings.maxQueue,
      objectiveMs,
      weightOf: options.weightOf ?? (() => 1),
    });
    this.#isolation =
      options.isolation ?? (settings.isolation === 'process' ? 'process' : 'thread');
    const { threads, device, batching } = settings;
    const { runtime, model, maxMemoryBytes, triesFirst = false } = options;
    const session = { threads, device, maxMemoryBytes, maxOutputBytes: MAX_OUTPUT_BYTES };
    const warming = { signature, clock, maxRows: batching.maxRows, objectiveMs };
    this.#replicas = new ReplicaSet({
      clock,
      version,
      startTimeoutMs: startTimeoutOf(settings) * (triesFirst ? 1 : PROVEN_TIMES),
      isolation: () => this.#isolation,
      prove: triesFirst
        ? (signal) => tryOut({ runtime, model, session, warming }, signal)
        : undefined,
      open: (signal, isolation) => runtime.open(model, { ...session, isolation }, signal),
      warm: async (opened) => {
        const warmth = await warm(opened, {
          ...warming,
          model: this.#model,
          seen: this.#seen,
          known: this.#warmth,
        });
        this.#adopt(warmth);
      },
      onChange: (replica) => this.#replicaChanged(replica),
    });
  }

  get maxBatchRows(): number {
    return this.#scheduler.maxRows;
  }

  submit(request: TargetRequest): Promise<InferenceAnswer> {
    const now = this.#options.clock.now();
    if (this.#drained !== undefined) {
      const message = `Version ${this.version} of "${request.deployment}" takes no new requests.`;
      return this.#refuse(request, new SkeinError('NODE_DRAINING', message), now);
    }
    let demand: Demand;
    try {
      demand = this.#check(request.inputs, request.outputs);
    } catch (error) {
      return this.#refuse(request, error as SkeinError, now);
    }
    this.#tally.arrive(demand.rows);
    if (request.cancellation?.cancelled === true) {
      return this.#refuse(request, cancelled(request), now);
    }
    const pending = new Pending(request, demand, this.#tally);
    const apart = this.#options.penalties?.isSuspect(request.tenant) ?? false;
    const ticket = this.#ticket(pending, apart, now);
    this.#expect();
    const refusal = this.#scheduler.offer(ticket, now);
    if (refusal === undefined) {
      this.#seen ??= shapesOf(request.inputs);
      pending.onCancel(() => this.#cancel(ticket));
      // At once, not at the end of the iteration: gathering first makes this thread and the replica
      // alternate (measured at 16 connections: 30 % less throughput).
      if (this.#scheduler.servers.idle > 0) {
        this.#pump();
      } else {
        this.#pollOverdue(now);
        this.#alarm.at(request.deadline);
      }
    } else {
      pending.fail(this.#explain(refusal, ticket, now), now);
    }
    return pending.promise;
  }

  scaleTo(count: number): void {
    this.#wanted = count;
    // Serve the queued requests before the last replica ends.
    const keep = this.#scheduler.queue.requests > 0 ? Math.min(1, this.#replicas.active) : 0;
    this.#replicas.scaleTo(Math.max(count, keep));
  }

  whenReady(): Promise<void> {
    return this.#replicas.whenReady();
  }

  drain(by: Instant = Infinity): Promise<void> {
    const isFirst = this.#drained === undefined;
    const drained = (this.#drained ??= Promise.withResolvers());
    if (isFirst) this.#pump();
    if (by < Infinity) {
      const timer = setTimeout(() => this.#cutOff(), Math.max(0, by - this.#options.clock.now()));
      void drained.promise.then(() => clearTimeout(timer));
    }
    return drained.promise;
  }

  snapshot(): TargetSnapshot {
    const { queue, servers } = this.#scheduler;
    const { arrivedRequests, arrivedRows, answered, answeredInTime, refused } = this.#tally;
    return {
      replicas: this.#replicas.snapshot(),
      queuedRequests: queue.requests,
      queuedRows: queue.rows,
      inFlightRows: servers.runningRows,
      predictedDelayMs: this.#scheduler.delay(this.#options.clock.now()),
      arrivedRequests,
      arrivedRows,
      answered,
      answeredInTime,
      refused: { ...refused },
      latencies: this.#model.known(),
      evidence: { ...this.#model.evidence, probes: this.#scheduler.probes },
      unbatched: this.#warmth?.unbatched,
    };
  }

  // The loop.

  /** Gives idle replicas their next runs, and sets the alarm. */
  #pump(): void {
    const now = this.#options.clock.now();
    const scheduler = this.#scheduler;
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
    if (scheduler.queue.requests === 0) this.#rest();
  }

  /**
   * Polls for results that should be there. One iteration of the event loop may read sixteen
   * requests, and a run that ends meanwhile would leave its replica idle until the last of them.
   */
  #pollOverdue(now: Instant): void {
    for (const server of this.#scheduler.servers.list) {
      if (server.rows > 0 && now >= server.freeAt) (server as Replica).poll();
    }
  }

  /** No replica exists or is starting: fail every queued request. */
  #failQueued(now: Instant): void {
    const { queue, verdict } = this.#scheduler;
    if (queue.requests === 0 || this.#replicas.expectedAt() !== undefined) return;
    verdict.lateMs = Infinity;
    for (;;) {
      const ticket = queue.timeline.first;
      if (ticket === undefined) return;
      queue.remove(ticket);
      if (ticket.payload.losses > 0) ticket.payload.lose(now);
      else ticket.payload.fail(this.#explain('NO_REPLICA', ticket, now), now);
    }
  }

  /** The queue is empty: finish a deferred scale-down or drain. */
  #rest(): void {
    if (this.#wanted === 0 && this.#replicas.wanted > 0) this.#replicas.scaleTo(0);
    if (this.#drained === undefined || this.#running.size > 0) return;
    this.#alarm.stop();
    void this.#replicas.close().then(this.#drained.resolve);
  }

  /** The drain deadline has passed: fail the remaining requests and end every replica, running or not. */
  #cutOff(): void {
    const now = this.#options.clock.now();
    const { queue } = this.#scheduler;
    const fail = ({ payload }: Waiting): void => {
      const message = `Request ${payload.request.id} was not answered before the version had to end.`;
      payload.fail(new SkeinError('NODE_DRAINING', message), now);
    };
    for (let ticket = queue.timeline.first; ticket !== undefined; ticket = queue.timeline.first) {
      queue.remove(ticket);
      fail(ticket);
    }
    const closed = this.#replicas.close();
    for (const [replica, run] of this.#running) {
      this.#running.delete(replica);
      this.#scheduler.finish(replica, [], now);
      run.tickets.forEach(fail);
      replica.lose(new RuntimeFailure('lost', 'The drain deadline has passed.'));
    }
    this.#alarm.stop();
    void closed.then(this.#drained!.resolve);
  }

  #run(replica: Replica, batch: readonly Waiting[], now: Instant): void {
    const run = new BatchRun(batch, now);
    this.#scheduler.start(replica, batch, run.rows, now);
    this.#running.set(replica, run);
    replica.timesOutAt = timesOutAt({
      startedAt: now,
      deadline: run.deadline,
      expectedMs: batch[0]!.lane.curve.isExtrapolated(run.rows) ? 0 : replica.freeBy - now,
      objectiveMs: this.#options.settings.objective.latencyMs,
      isolation: replica.isolation,
    });
    run.start(replica, this.#inputNames, this.#options.clock).then(
      (result) => this.#ran(replica, run, result),
      (error: unknown) => this.#broke(replica, run, error),
    );
  }

  #ran(replica: Replica, run: BatchRun, result: RunResult): void {
    if (this.#running.get(replica) !== run) return;
    const { clock, deployment, observer } = this.#options;
    const { tickets, rows, startedAt } = run;
    const now = clock.now();
    tickets[0]!.lane.curve.record(rows, now - startedAt, now);
    replica.runs++;
    this.#release(replica, tickets, now);
    observer.batchRan(deployment, this.version, rows, result);
    const uneven = run.uneven(result);
    if (uneven !== undefined) {
      const unbatched = `Output "${uneven}" does not have one row per row of input.`;
      this.#adopt({ maxRows: 1, unbatched });
      for (const ticket of tickets) this.#again(ticket, now);
    }
    this.#pump();
    if (uneven === undefined) run.answer(this.version, result, now);
  }

  /** A run has not given a result, or its replica is gone. */
  #broke(replica: Replica, run: BatchRun, error: unknown): void {
    if (this.#running.get(replica) !== run) return;
    const now = this.#options.clock.now();
    const failure = error instanceof RuntimeFailure ? error : undefined;
    const isLost = failure?.kind === 'lost';
    this.#release(replica, [], now);
    if (isLost) {
      replica.lose(failure);
      const tenants = new Set(run.tickets.map(({ payload }) => payload.request.tenant));
      this.#options.penalties?.note(tenants);
    }
    for (const ticket of run.tickets) {
      const { payload } = ticket;
      if (isLost) {
        payload.lostAlone = run.tickets.length === 1;
        payload.overran = failure instanceof RunTimeout;
        this.#retry(ticket, now);
      } else if (run.tickets.length > 1) {
        // One request failed the whole batch: run each alone, so that only that one fails.
        this.#again(ticket, now);
      } else if (failure?.kind === 'run') {
        const message = withCulprit(failure.message, payload.request.inputs);
        payload.fail(new SkeinError('INPUT_REJECTED', message, { cause: error }), now);
      } else if (failure?.kind === 'memory') {
        payload.fail(new SkeinError('MODEL_MEMORY', failure.message, { cause: error }), now);
      } else {
        const message = `Request ${payload.request.id} could not be run.`;
        payload.fail(new SkeinError('INTERNAL', message, { cause: error }), now);
      }
    }
    this.#pump();
  }

  #release(replica: Replica, answered: readonly Waiting[], now: Instant): void {
    this.#running.delete(replica);
    this.#scheduler.finish(replica, answered, now);
    replica.settle();
  }

  // Requests.

  #ticket(pending: Pending, alone: boolean, now: Instant): Waiting {
    const { request, demand } = pending;
    const { queue } = this.#scheduler;
    const key = alone ? `${demand.laneKey}!` : demand.laneKey;
    const lane = queue.lane(key) ?? this.#addLane(key, pending, alone);
    const tenant = queue.tenant(request.tenant, now);
    const level = levelOf(request.priority);
    return new Ticket(pending, lane, tenant, demand.rows, request.deadline, level);
  }

  #addLane(key: string, { request, demand }: Pending, alone: boolean): Lane<Pending> {
    const elements = elementsPerRow(this.signature, request.inputs, demand);
    return this.#scheduler.queue.addLane(
      key,
      demand.batches && !alone,
      this.#model.curve(elements),
    );
  }

  #cancel(ticket: Waiting): void {
    const { payload } = ticket;
    if (ticket.isWaiting) this.#scheduler.queue.remove(ticket);
    payload.fail(cancelled(payload.request), this.#options.clock.now());
    if (this.#scheduler.queue.requests === 0) this.#rest();
  }

  /** Queues a request again, to run alone. */
  #again({ payload }: Waiting, now: Instant): void {
    if (payload.settled) return;
    const alone = this.#ticket(payload, true, now);
    this.#scheduler.requeue(alone, now);
    payload.onCancel(() => this.#cancel(alone));
  }

  /** Retries a request whose replica was lost, once, if there is time and a replica. */
  #retry(ticket: Waiting, now: Instant): void {
    const { payload, deadline, lane, rows } = ticket;
    this.#expect();
    payload.losses++;
    const finish = this.#scheduler.servers.nextFree(now) + lane.curve.p50(rows, now);
    const looped = payload.overran && payload.lostAlone;
    if (looped || payload.losses > 1 || finish > deadline) payload.lose(now);
    else this.#again(ticket, now);
  }

  #refuse(request: TargetRequest, error: SkeinError, now: Instant): Promise<never> {
    this.#tally.refuse(request, error, now);
    return Promise.reject(error);
  }

  #explain(refusal: Refusal, ticket: Waiting, now: Instant): SkeinError {
    const { queue, verdict } = this.#scheduler;
    const { rows, lane, isProbe } = ticket;
    return explainRefusal(refusal, {
      version: this.version,
      request: ticket.payload.request,
      now,
      verdict,
      waiting: queue.requests,
      tenantWaiting: ticket.tenant.requests,
      runMs: isProbe ? lane.curve.leastMs(rows, now) : lane.curve.p99(rows, now),
      isExtrapolated: isProbe,
      runs: isProbe ? this.#model.evidence.runs : lane.curve.runs,
      failed: this.#replicas.failed,
      triesAgainAt: this.#replicas.triesAgainAt,
    });
  }

  // Replicas.

  /** Without a replica, requests may wait for the one that is expected. */
  #expect(): void {
    const { servers } = this.#scheduler;
    if (servers.list.length === 0) servers.expectedAt = this.#replicas.expectedAt();
  }

  #adopt(warmth: Warmth): void {
    this.#warmth = warmth;
    this.#scheduler.maxRows = warmth.maxRows;
  }

  #replicaChanged(replica: Replica): void {
    const { deployment, observer } = this.#options;
    const { list } = this.#scheduler.servers;
    const position = list.indexOf(replica);
    if (replica.state === 'ready') list.push(replica);
    else if (position >= 0) list.splice(position, 1);
    this.#scheduler.serversChanged();
    observer.replicaChanged(deployment, this.version, replica.snapshot());
    if (replica.state === 'ready' || replica.state === 'gone') this.#alarm.soon();
    // Its thread keeps running, with its core and its memory. The next replica can be ended.
    if (replica.failure instanceof RunTimeout || replica.failure instanceof StartTimeout) {
      this.#isolation = 'process';
    }
    const run = this.#running.get(replica);
    if (replica.state === 'gone' && run !== undefined) {
      // Only once its replacement is starting, which its requests may wait for.
      queueMicrotask(() => this.#broke(replica, run, replica.failure));
    }
  }
}
