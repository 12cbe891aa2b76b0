/**
 * Everything of one ONNX version from admission to replica: the loop around the policies.
 *
 *   submit ─▶ check ─▶ offer ─▶ (queue) ─▶ pump ─▶ join ─▶ replica ─▶ split ─▶ answer
 *                        │                   ▲                │
 *                        └─▶ refusal         └── arrival, end of a run, timer
 *
 * One promise and one ticket per request, one timer per dispatcher. Arrivals are gathered until the
 * event loop has read what its sockets hold, so that requests which came together run together; the
 * end of a run starts the next one before its answers are handed out, so that the replica does not
 * wait until they are written.
 */
import { SkeinError, type DeploymentSettings, type ErrorCode } from '@skein/api';
import type { Signature, TensorMap } from '@skein/onnx';
import { RuntimeFailure, type ModelSource, type RunResult, type Runtime } from '@skein/runtime';
import type {
  Clock,
  InferenceAnswer,
  Instant,
  ServingObserver,
  Target,
  TargetRequest,
  TargetSnapshot,
} from '../contract.ts';
import { levelOf } from './admission.ts';
import { joinInputs, rowsOf, unevenOutput } from './batch.ts';
import { LatencyModel } from './latency-model.ts';
import { explainRefusal } from './refusal.ts';
import type { Replica } from './replica.ts';
import { ReplicaSet } from './replica-set.ts';
import { requestCheck, type Demand, type RequestCheck } from './request-check.ts';
import { Scheduler, type Refusal } from './scheduler.ts';
import { shapesOf, type Shapes } from './synthetic-inputs.ts';
import { Ticket } from './ticket.ts';
import { warm, type Warmth } from './warming.ts';

export interface DispatcherOptions {
  readonly deployment: string;
  readonly version: string;
  readonly signature: Signature;
  readonly model: ModelSource;
  readonly settings: DeploymentSettings;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly observer: ServingObserver;
  /** Share of a tenant among those that wait; equal shares when absent. */
  readonly weightOf?: ((tenant: string) => number) | undefined;
}

/** A request between its acceptance and its answer. */
interface Pending {
  readonly request: TargetRequest;
  readonly demand: Demand;
  readonly resolve: (answer: InferenceAnswer) => void;
  readonly reject: (error: SkeinError) => void;
  /** Replicas that were lost while they ran it. */
  losses: number;
  settled: boolean;
}

type Waiting = Ticket<Pending>;

/** The event loop's timers are this coarse; closer times are met by polling. */
const TIMER_MS = 1.5;
const LONGEST_TIMER_MS = 60_000;
/** The longest run of a batch that is of any use, as a share of the objective. */
const LONGEST_RUN = 0.5;
/** What a priority level is worth, as a share of the objective. */
const LEVEL = 0.5;

/** A version without replicas: `scaleTo` starts them. */
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
  readonly #scheduler: Scheduler<Pending>;
  readonly #replicas: ReplicaSet;

  readonly #hopeless: Waiting[] = [];
  #isSoon = false;
  readonly #pumpNow = (): void => {
    this.#isSoon = false;
    this.#pump();
  };
  #timer: NodeJS.Timeout | undefined;
  #timerAt: Instant = Infinity;

  #wanted = 0;
  #warmth: Warmth | undefined;
  /** Shapes of a real request, for warming the next replica. */
  #seen: Shapes | undefined;
  #drained: PromiseWithResolvers<void> | undefined;

  readonly #refused: Partial<Record<ErrorCode, number>> = {};
  #arrivedRequests = 0;
  #arrivedRows = 0;
  #answered = 0;
  #answeredInTime = 0;

  constructor(options: DispatcherOptions) {
    const { settings, signature, clock, runtime, model } = options;
    const objectiveMs = settings.objective.latencyMs;
    const { threads, device, isolation } = settings;
    this.#options = options;
    this.version = options.version;
    this.signature = signature;
    this.#check = requestCheck(signature, settings.finiteOnly);
    this.#inputNames = signature.inputs.map(({ name }) => name);
    this.#scheduler = new Scheduler({
      maxRows: settings.batching.maxRows,
      maxRequests: settings.maxQueue,
      objectiveMs,
      levelMs: objectiveMs * LEVEL,
      weightOf: options.weightOf ?? (() => 1),
    });
    this.#replicas = new ReplicaSet({
      clock,
      version: options.version,
      open: () => runtime.open(model, { threads, device, isolation }),
      warm: async (session) => {
        const warmth = await warm(session, {
          signature,
          model: this.#model,
          clock,
          maxRows: settings.batching.maxRows,
          longestRunMs: objectiveMs * LONGEST_RUN,
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
    this.#arrivedRequests++;
    this.#arrivedRows += demand.rows;
    if (request.cancellation?.cancelled === true) {
      return this.#refuse(request, cancelled(request), now);
    }

    let pending!: Pending;
    const answer = new Promise<InferenceAnswer>((resolve, reject) => {
      pending = { request, demand, resolve, reject, losses: 0, settled: false };
    });
    const ticket = this.#ticket(pending, false, now);
    const { servers } = this.#scheduler;
    if (servers.list.length === 0) servers.expectedAt = this.#replicas.expectedAt();
    const refusal = this.#scheduler.offer(ticket, now);
    if (refusal !== undefined) {
      this.#fail(ticket, this.#explain(refusal, ticket, now), now);
      return answer;
    }
    this.#seen ??= shapesOf(request.inputs);
    this.#listen(ticket);
    this.#soon();
    return answer;
  }

  scaleTo(count: number): void {
    this.#wanted = count;
    // Who waits is served before the last replica goes.
    const keep = count === 0 && this.#scheduler.queue.requests > 0 ? 1 : 0;
    this.#replicas.scaleTo(Math.max(count, Math.min(keep, this.#replicas.active)));
  }

  whenReady(): Promise<void> {
    return this.#replicas.whenReady();
  }

  drain(): Promise<void> {
    if (this.#drained === undefined) {
      this.#drained = Promise.withResolvers();
      this.#pump();
    }
    return this.#drained.promise;
  }

  snapshot(): TargetSnapshot {
    const { queue, servers } = this.#scheduler;
    const now = this.#options.clock.now();
    return {
      replicas: this.#replicas.snapshot(),
      queuedRequests: queue.requests,
      queuedRows: queue.rows,
      inFlightRows: servers.runningRows,
      predictedDelayMs: this.#scheduler.delay(now),
      arrivedRequests: this.#arrivedRequests,
      arrivedRows: this.#arrivedRows,
      answered: this.#answered,
      answeredInTime: this.#answeredInTime,
      refused: { ...this.#refused },
      latencies: this.#model.known(),
      unbatched: this.#warmth?.unbatched,
    };
  }

  // The loop.

  /** Pumps when the event loop has read what its sockets hold. */
  #soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    setImmediate(this.#pumpNow);
  }

  /** Gives idle replicas what they should run now, and arranges the next look. */
  #pump(): void {
    const now = this.#options.clock.now();
    const scheduler = this.#scheduler;
    for (;;) {
      const batch: Waiting[] = [];
      scheduler.next(now, batch, this.#hopeless);
      if (this.#hopeless.length > 0) this.#giveUp(now);
      if (batch.length === 0) break;
      this.#run(scheduler.servers.idlest as Replica, batch, now);
    }
    this.#wakeAt(scheduler.wakeAt, now);
    if (scheduler.queue.requests === 0) this.#rest();
  }

  #wakeAt(at: Instant, now: Instant): void {
    if (at === Infinity) return;
    if (at - now < TIMER_MS) {
      this.#soon();
    } else if (at < this.#timerAt) {
      clearTimeout(this.#timer);
      this.#timerAt = at;
      this.#timer = setTimeout(
        () => {
          this.#timer = undefined;
          this.#timerAt = Infinity;
          this.#pump();
        },
        Math.min(at - now, LONGEST_TIMER_MS),
      );
    }
  }

  /** Nobody waits: what was put off for their sake can happen. */
  #rest(): void {
    if (this.#wanted === 0 && this.#replicas.wanted > 0) this.#replicas.scaleTo(0);
    if (this.#drained === undefined || this.#scheduler.servers.runningRows > 0) return;
    clearTimeout(this.#timer);
    void this.#replicas.close().then(this.#drained.resolve);
  }

  #run(replica: Replica, batch: readonly Waiting[], now: Instant): void {
    let rows = 0;
    for (const ticket of batch) rows += ticket.rows;
    this.#scheduler.start(replica, batch, rows, now);
    let running: Promise<RunResult>;
    try {
      const members = batch.map(({ cargo }) => cargo.request.inputs);
      running = replica.run(joinInputs(this.#inputNames, members, rows), commonOutputs(batch));
    } catch (error) {
      running = Promise.reject(error);
    }
    running.then(
      (result) => this.#ran(replica, batch, rows, now, result),
      (error: unknown) => this.#broke(replica, batch, error),
    );
  }

  #ran(
    replica: Replica,
    batch: readonly Waiting[],
    rows: number,
    startedAt: Instant,
    { outputs, computeMs }: RunResult,
  ): void {
    const { clock, deployment, observer } = this.#options;
    const now = clock.now();
    batch[0]!.lane.curve.record(rows, now - startedAt, now);
    this.#release(replica, now);
    observer.batchRan(deployment, this.version, rows, computeMs);
    const uneven = batch.length === 1 ? undefined : unevenOutput(outputs, rows);
    if (uneven !== undefined) {
      const unbatched = `Output "${uneven}" does not have one row per row of input.`;
      this.#adopt({ maxRows: 1, unbatched });
      for (const ticket of batch) this.#again(ticket, now);
    }
    this.#pump();
    if (uneven !== undefined) return;
    let from = 0;
    for (const ticket of batch) {
      const { request } = ticket.cargo;
      const own =
        batch.length === 1
          ? outputs
          : rowsOf(outputs, from, ticket.rows, namesOf(request.outputs, outputs));
      from += ticket.rows;
      this.#answer(ticket, own, startedAt, computeMs, rows, now);
    }
  }

  /** A run has not given a result. */
  #broke(replica: Replica, batch: readonly Waiting[], error: unknown): void {
    const now = this.#options.clock.now();
    const failure = error instanceof RuntimeFailure ? error : undefined;
    this.#release(replica, now);
    if (failure?.kind === 'lost') replica.lose(failure);
    for (const ticket of batch) {
      if (failure?.kind === 'lost') {
        this.#retry(ticket, now);
      } else if (batch.length > 1) {
        // One of them spoilt it for all: apart, only that one fails.
        this.#again(ticket, now);
      } else if (failure?.kind === 'run') {
        this.#fail(
          ticket,
          new SkeinError('INPUT_REJECTED', failure.message, { cause: error }),
          now,
        );
      } else {
        const message = `Request ${ticket.cargo.request.id} could not be run.`;
        this.#fail(ticket, new SkeinError('INTERNAL', message, { cause: error }), now);
      }
    }
    this.#pump();
  }

  #release(replica: Replica, now: Instant): void {
    this.#scheduler.finish(replica, now);
    replica.runs++;
    replica.settle();
  }

  // Requests.

  #ticket(pending: Pending, alone: boolean, now: Instant): Waiting {
    const { request, demand } = pending;
    const { queue } = this.#scheduler;
    const key = alone ? `${demand.laneKey}!` : demand.laneKey;
    const lane =
      queue.lane(key) ??
      queue.addLane(key, demand.batches && !alone, this.#model.curve(demand.elementsPerRow));
    const tenant = queue.tenant(request.tenant, now);
    return new Ticket(
      pending,
      lane,
      tenant,
      demand.rows,
      request.deadline,
      levelOf(request.priority),
    );
  }

  #listen(ticket: Waiting): void {
    const { cancellation } = ticket.cargo.request;
    if (cancellation !== undefined) cancellation.onCancel = () => this.#cancel(ticket);
  }

  #cancel(ticket: Waiting): void {
    if (ticket.cargo.settled) return;
    if (ticket.isWaiting) this.#scheduler.queue.remove(ticket);
    this.#fail(ticket, cancelled(ticket.cargo.request), this.#options.clock.now());
    if (this.#scheduler.queue.requests === 0) this.#rest();
  }

  /** Queues a request again, for a run of its own. */
  #again(ticket: Waiting, now: Instant): void {
    const pending = ticket.cargo;
    if (pending.settled) return;
    const alone = this.#ticket(pending, true, now);
    this.#scheduler.requeue(alone, now);
    this.#listen(alone);
  }

  /** After its replica was lost: once more, if there is time and a replica. */
  #retry(ticket: Waiting, now: Instant): void {
    const { servers } = this.#scheduler;
    ticket.cargo.losses++;
    if (servers.list.length === 0) servers.expectedAt = this.#replicas.expectedAt();
    const startsAt = servers.list.length > 0 ? now : (servers.expectedAt ?? Infinity);
    const finish = startsAt + ticket.lane.curve.p50(ticket.rows, now);
    if (ticket.cargo.losses > 1 || finish > ticket.deadline) this.#fail(ticket, lost(ticket), now);
    else this.#again(ticket, now);
  }

  #giveUp(now: Instant): void {
    for (const ticket of this.#hopeless) {
      const { request, losses } = ticket.cargo;
      const message = `Request ${request.id} cannot be answered before its deadline any more.`;
      const error = losses > 0 ? lost(ticket) : new SkeinError('DEADLINE_EXCEEDED', message);
      this.#fail(ticket, error, now);
    }
    this.#hopeless.length = 0;
  }

  #answer(
    { cargo, enqueuedAt }: Waiting,
    outputs: TensorMap,
    startedAt: Instant,
    computeMs: number,
    batchRows: number,
    now: Instant,
  ): void {
    if (cargo.settled) return;
    const { request } = cargo;
    const answer: InferenceAnswer = {
      version: this.version,
      outputs,
      times: { queueMs: startedAt - enqueuedAt, computeMs, batchRows },
      cached: false,
    };
    cargo.settled = true;
    if (request.cancellation !== undefined) request.cancellation.onCancel = undefined;
    this.#answered++;
    if (now <= request.deadline) this.#answeredInTime++;
    this.#options.observer.answered(request, answer, now);
    cargo.resolve(answer);
  }

  #fail({ cargo }: Waiting, error: SkeinError, now: Instant): void {
    if (cargo.settled) return;
    const { request } = cargo;
    cargo.settled = true;
    if (request.cancellation !== undefined) request.cancellation.onCancel = undefined;
    this.#refused[error.code] = (this.#refused[error.code] ?? 0) + 1;
    this.#options.observer.refused(request, error, now);
    cargo.reject(error);
  }

  #refuse(request: TargetRequest, error: SkeinError, now: Instant): Promise<never> {
    this.#refused[error.code] = (this.#refused[error.code] ?? 0) + 1;
    this.#options.observer.refused(request, error, now);
    return Promise.reject(error);
  }

  #explain(refusal: Refusal, ticket: Waiting, now: Instant): SkeinError {
    const { queue, verdict } = this.#scheduler;
    return explainRefusal(refusal, {
      version: this.version,
      request: ticket.cargo.request,
      now,
      verdict,
      waiting: queue.requests,
      tenantWaiting: ticket.tenant.requests,
      runMs: ticket.lane.curve.p99(ticket.rows, now),
      failed: this.#replicas.failed,
      triesAgainAt: this.#replicas.triesAgainAt,
    });
  }

  // Replicas.

  #adopt(warmth: Warmth): void {
    this.#warmth = warmth;
    this.#scheduler.maxRows = warmth.maxRows;
  }

  #replicaChanged(replica: Replica): void {
    const { deployment, observer } = this.#options;
    const { servers } = this.#scheduler;
    const position = servers.list.indexOf(replica);
    if (replica.state === 'ready') servers.list.push(replica);
    else if (position >= 0) servers.list.splice(position, 1);
    this.#scheduler.serversChanged();
    observer.replicaChanged(deployment, this.version, replica.snapshot());
    if (replica.state === 'ready') this.#soon();
  }
}

/** The outputs that a request asks for; naming none means all. */
function namesOf(asked: readonly string[] | undefined, outputs: TensorMap): Iterable<string> {
  return asked === undefined || asked.length === 0 ? outputs.keys() : asked;
}

/** The outputs that all of a batch ask for; undefined for all outputs. */
function commonOutputs(batch: readonly Waiting[]): readonly string[] | undefined {
  const { outputs } = batch[0]!.cargo.request;
  if (outputs === undefined || outputs.length === 0) return undefined;
  if (batch.length === 1) return outputs;
  const wanted = outputs.join();
  const agree = batch.every(({ cargo }) => cargo.request.outputs?.join() === wanted);
  return agree ? outputs : undefined;
}

function cancelled({ id }: TargetRequest): SkeinError {
  return new SkeinError('CANCELLED', `Request ${id} was cancelled.`);
}

function lost({ cargo }: Waiting): SkeinError {
  const times = cargo.losses === 1 ? 'once' : `${cargo.losses} times`;
  return new SkeinError(
    'REPLICA_LOST',
    `A replica ended ${times} while it ran request ${cargo.request.id}.`,
  );
}
