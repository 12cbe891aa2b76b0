/**
 * Runs one ONNX version, from admission to replica: checks its requests and hands them to the loop
 * (`run-loop.ts`), and scales and ends its replicas (`version-replicas.ts`).
 */
import { SkeinError } from '@skein/api';
import type { Signature } from '@skein/onnx';
import type {
  InferenceAnswer,
  Instant,
  Prediction,
  ServingObserver,
  Target,
  TargetRequest,
  TargetSnapshot,
} from '../../contract.ts';
import type { TenantPenalties } from '../../quarantine/tenant-penalties.ts';
import { shapesOf } from '../cost/synthetic-inputs.ts';
import type { WeightOf } from '../queue/deadline-queue.ts';
import { cancelled, Pending } from './pending.ts';
import { requestCheck, type Demand, type RequestCheck } from './request-check.ts';
import { InlineRuns } from './inline-runs.ts';
import { LoopThread } from './loop-thread.ts';
import { RunLoop } from './run-loop.ts';
import { Tally } from './tally.ts';
import { VersionReplicas, type VersionReplicasOptions } from './version-replicas.ts';

export interface DispatcherOptions extends VersionReplicasOptions {
  readonly deployment: string;
  /** Notified of every run that ended its replica. */
  readonly penalties?: TenantPenalties | undefined;
  readonly observer: ServingObserver;
  /** Weight of a tenant; equal weights if absent. */
  readonly weightOf?: WeightOf | undefined;
  /** Shared by the versions of a node; default: one of its own. */
  readonly thread?: LoopThread | undefined;
}

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
  /** Does not read the bytes of the inputs. */
  readonly #checkShapes: RequestCheck;
  readonly #tally: Tally;
  readonly #replicas: VersionReplicas;
  readonly #loop: RunLoop;
  #wanted = 0;
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(options: DispatcherOptions) {
    const { settings, signature, version, thread = new LoopThread() } = options;
    this.#options = options;
    this.version = version;
    this.signature = signature;
    this.#check = requestCheck(signature, settings.finiteOnly);
    this.#checkShapes = settings.finiteOnly ? requestCheck(signature, false) : this.#check;
    this.#tally = new Tally(options.observer);
    this.#replicas = new VersionReplicas(
      options,
      (warmth) => this.#loop.adopt(warmth),
      (replica) => this.#loop.replicaChanged(replica),
    );
    this.#loop = new RunLoop({
      deployment: options.deployment,
      version,
      signature,
      replicas: this.#replicas,
      clock: options.clock,
      observer: options.observer,
      penalties: options.penalties,
      weightOf: options.weightOf ?? (() => 1),
      maxRows: settings.batching.maxRows,
      maxRequests: settings.maxQueue,
      objectiveMs: settings.objective.latencyMs,
      inlineRuns: new InlineRuns({ ...options, thread }),
      onEmpty: () => this.#finishDeferred(),
    });
  }

  get maxBatchRows(): number {
    return this.#loop.scheduler.maxRows;
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
    if (this.#loop.offer(pending, now)) this.#replicas.seen ??= shapesOf(request.inputs);
    return pending.promise;
  }

  predict(request: TargetRequest): Prediction {
    const now = this.#options.clock.now();
    if (this.#drained !== undefined) {
      const message = `Version ${this.version} of "${request.deployment}" takes no new requests.`;
      return { refusal: new SkeinError('NODE_DRAINING', message) };
    }
    try {
      const demand = this.#checkShapes(request.inputs, request.outputs);
      return this.#loop.predict(new Pending(request, demand, this.#tally), now);
    } catch (error) {
      return { refusal: error as SkeinError };
    }
  }

  scaleTo(count: number): void {
    this.#wanted = count;
    // Serve the queued requests before the last replica ends.
    const keep = this.#loop.scheduler.queue.requests > 0 ? Math.min(1, this.#replicas.active) : 0;
    this.#replicas.scaleTo(Math.max(count, keep));
  }

  whenReady(): Promise<void> {
    return this.#replicas.whenReady();
  }

  drain(by: Instant = Infinity): Promise<void> {
    const isFirst = this.#drained === undefined;
    const drained = (this.#drained ??= Promise.withResolvers());
    if (isFirst) this.#loop.pump();
    if (by < Infinity) {
      const timer = setTimeout(
        () => void this.#loop.cutOff().then(drained.resolve),
        Math.max(0, by - this.#options.clock.now()),
      );
      void drained.promise.then(() => clearTimeout(timer));
    }
    return drained.promise;
  }

  snapshot(): TargetSnapshot {
    const { queue, servers } = this.#loop.scheduler;
    const { arrivedRequests, arrivedRows, answered, answeredInTime, refused } = this.#tally;
    return {
      replicas: this.#replicas.snapshot(),
      queuedRequests: queue.requests,
      queuedRows: queue.rows,
      inFlightRows: servers.runningRows,
      predictedDelayMs: this.#loop.scheduler.delay(this.#options.clock.now()),
      arrivedRequests,
      arrivedRows,
      answered,
      answeredInTime,
      refused: { ...refused },
      latencies: this.#replicas.model.known(),
      evidence: { ...this.#replicas.model.evidence, probes: this.#loop.scheduler.probes },
      unbatched: this.#replicas.warmth?.unbatched,
    };
  }

  /** The queue is empty: finish a deferred scale-down or drain. */
  #finishDeferred(): void {
    if (this.#wanted === 0 && this.#replicas.wanted > 0) this.#replicas.scaleTo(0);
    if (this.#drained === undefined || this.#loop.isRunning) return;
    this.#loop.stop();
    void this.#replicas.close().then(this.#drained.resolve);
  }

  #refuse(request: TargetRequest, error: SkeinError, now: Instant): Promise<never> {
    this.#tally.refuse(request, error, now);
    return Promise.reject(error);
  }
}
