/**
 * The types that the faces, the serving plane and telemetry share. A face creates an
 * `InferenceRequest`, passes it to `Inference.infer`, and encodes the answer or the SkeinError. An
 * answer is a stream of chunks; a tensor model answers with one chunk, which costs no iterator.
 *
 *   face → deployment (cache, traffic split, shadow) → target (admission → queue → batcher → replica) → face
 */
import type { DeploymentSettings, ReplicaState, SkeinError } from '@skein/api';
import type { OwnedMemory } from '@skein/api/owned-memory';
import type { Signature, TensorMap } from '@skein/onnx';
import type { RunTimes } from '@skein/runtime';

/** Milliseconds on the process's monotonic clock (`performance.now()`). */
export type Instant = number;

/** Injected wherever time matters, so that tests can simulate it. */
export interface Clock {
  now(): Instant;
}

/**
 * Messages between the caller of a request and its target while it is not answered. It is cheap: a
 * flag and a listener for each of the two.
 */
export class Cancellation {
  cancelled = false;
  onCancel: (() => void) | undefined;

  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.onCancel?.();
  }
}

/** W3C trace context of the caller, passed on unchanged if traces are not recorded. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

export interface InferenceRequest {
  /** Echoed to the client and in logs. */
  readonly id: string;
  readonly deployment: string;
  /** Pins one version; otherwise the traffic split chooses. */
  readonly version?: string | undefined;
  /**
   * Tensors by input name. The serving plane takes ownership: their memory may be transferred to a
   * worker.
   */
  readonly inputs: TensorMap;
  /** Memory of the inputs; a target that reads them after it has answered retains it. Absent: V8 collects it. */
  readonly memory?: OwnedMemory | undefined;
  /** Outputs to return; all if absent. */
  readonly outputs?: readonly string[] | undefined;
  /** When the request reached the node. */
  readonly arrivedAt: Instant;
  /**
   * When the first chunk of the answer must be ready, or the request fails; absent: it should be
   * ready at arrival plus the deployment's objective.
   */
  readonly deadline?: Instant | undefined;
  /** 1 is the most urgent; 0 (default) means the middle level. Triton's `parameters.priority`. */
  readonly priority: number;
  readonly tenant: string;
  /** Hashed for sticky routing during a rollout. */
  readonly stickyKey?: string | undefined;
  readonly cancellation?: Cancellation | undefined;
  readonly trace?: TraceContext | undefined;
  /** Whether the caller can read an answer of many chunks; default: no, and it is refused one. */
  readonly takesChunks?: boolean | undefined;
  /** The face that received it: `http`, `grpc`, `internal` (a composition's call). */
  readonly protocol: 'http' | 'grpc' | 'internal';
}

/** Milliseconds spent in each stage. */
export interface StageTimes {
  readonly queueMs: number;
  /** Joining and preparing the inputs; absent where nothing is prepared, as in a composition. */
  readonly inputMs?: number | undefined;
  readonly computeMs: number;
  /** Taking the outputs from the backend; absent where nothing is taken. */
  readonly outputMs?: number | undefined;
  /** Rows of the run that answered, this request's included. */
  readonly batchRows: number;
}

/** The first chunk of an answer, which is usually all of it. */
export interface InferenceAnswer {
  readonly version: string;
  readonly outputs: TensorMap;
  readonly times: StageTimes;
  readonly cached: boolean;
  /**
   * The outputs of the chunks that follow; absent: the answer is complete. Read them to their end,
   * or call `return()`, which cancels the target. An end without an error means that the target has
   * sent everything.
   */
  readonly rest?: AsyncIterable<TensorMap> | undefined;
}

/** When a request would be answered if it arrived now. */
export interface Prediction {
  /** Milliseconds until the answer, an estimate; absent: it would be refused. */
  readonly finishMs?: number;
  /** Why it would be refused. */
  readonly refusal?: SkeinError;
  /** Whether the request would start the first replica, also one that is refused. */
  readonly wakes?: boolean;
}

/** The part of the serving plane that a face uses. */
export interface Inference {
  /**
   * Resolves with the first chunk.
   * @throws SkeinError for every refusal and failure.
   */
  infer(request: InferenceRequest): Promise<InferenceAnswer>;
  /** Inputs and outputs of the deployment: of the named version, or of the one with most traffic. */
  describe(deployment: string, version?: string): DeployedModel;
  list(): readonly DeployedModel[];
  /** Whether this deployment, or its version, answers requests now. Unknown names are not ready. */
  isReady(deployment: string, version?: string): boolean;
}

export interface DeployedModel {
  readonly name: string;
  readonly version: string;
  readonly versions: readonly string[];
  readonly signature: Signature;
  readonly kind: 'onnx' | 'composition';
  readonly ready: boolean;
  readonly maxBatchRows: number;
  /** Names of the classes of its outputs; absent: it has none. */
  readonly labels?: readonly string[] | undefined;
  readonly objectiveMs: number;
  /** Upper bound of its replicas. */
  readonly maxReplicas: number;
  readonly settings: DeploymentSettings;
  /** Request header whose value becomes `stickyKey`, lower case; set while a sticky rollout runs. */
  readonly stickyHeader?: string | undefined;
}

/** A request to which the deployment has assigned a version and a deadline. */
export interface TargetRequest extends InferenceRequest {
  readonly deadline: Instant;
  /**
   * Whether the deadline is only the objective of the deployment. A late answer is then delivered,
   * and counted as late; after a deadline that the caller gave, it is an error.
   */
  readonly isObjective?: boolean | undefined;
}

/** One version that runs requests: an ONNX version's dispatcher, or a composition. */
export interface Target {
  readonly version: string;
  readonly signature: Signature;
  readonly kind: 'onnx' | 'composition';
  /** Rows that one run may hold; 1 if the model is not batched. */
  readonly maxBatchRows: number;
  /** The deployments that a composition calls, once it is ready. */
  readonly calls?: readonly string[] | undefined;
  /**
   * Whether it answers in chunks. The plane then holds it to the bounds of `answer-stream.ts` and
   * reports its answers and failures to the observer; it is neither cached nor compared.
   */
  readonly streams?: boolean | undefined;
  /** @throws SkeinError for every refusal and failure. */
  submit(request: TargetRequest): Promise<InferenceAnswer>;
  /**
   * The result that `submit` would have now, without any effect. It reads the types and shapes of the inputs, and
   * not their bytes. Default: by the snapshot.
   */
  predict?(request: TargetRequest): Prediction;
  snapshot(): TargetSnapshot;
  /** Starts or drains replicas until there are `count`. Returns at once; `snapshot()` shows the progress. */
  scaleTo(count: number): void;
  /** Resolves when the first replica is ready, rejects if it cannot start. With none wanted, resolves at once. */
  whenReady(): Promise<void>;
  /**
   * Rejects new requests, finishes the accepted ones, ends every replica.
   * @param by requests that are not completely answered by then are failed, and the replicas end.
   *   The earliest of all calls counts.
   */
  drain(by?: Instant): Promise<void>;
}

export interface ReplicaSnapshot {
  readonly id: string;
  readonly state: ReplicaState;
  readonly busy: boolean;
  /** Where its model runs; absent for a composition. */
  readonly isolation?: 'thread' | 'process' | undefined;
  readonly since: Instant;
  readonly runs: number;
  /** Memory that loading its model added, in bytes; see `Session` of the runtime. Absent: not measured. */
  readonly memoryBytes?: number | undefined;
  /** Why it ended, unless that was requested. */
  readonly failure?: string | undefined;
}

/** State of a target for the autoscaler, the API and the CLI. Counters only grow. */
export interface TargetSnapshot {
  readonly replicas: readonly ReplicaSnapshot[];
  readonly queuedRequests: number;
  readonly queuedRows: number;
  readonly inFlightRows: number;
  /** Predicted wait of a request that arrives now, before its own run, in milliseconds. */
  readonly predictedDelayMs: number;
  readonly arrivedRequests: number;
  readonly arrivedRows: number;
  readonly answered: number;
  /** Answered within their deadline. */
  readonly answeredInTime: number;
  /** Refusals and failures by error code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Why runs hold one request only, although the settings allow more. */
  readonly unbatched?: string | undefined;
  /** Estimated run time by rows, for the size of inputs that ran last, from so many runs. */
  readonly latencies: readonly {
    readonly rows: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly runs: number;
  }[];
  /** Measurements behind the estimates: runs, sizes of inputs, and requests that ran as probes. */
  readonly evidence?:
    | { readonly runs: number; readonly sizes: number; readonly probes: number }
    | undefined;
}

/** Events of the serving plane for telemetry. Called on the hot path: implementations only count. */
export interface ServingObserver {
  answered(request: TargetRequest, answer: InferenceAnswer, finishedAt: Instant): void;
  refused(request: InferenceRequest, error: SkeinError, at: Instant): void;
  batchRan(deployment: string, version: string, rows: number, times: RunTimes): void;
  replicaChanged(deployment: string, version: string, replica: ReplicaSnapshot): void;
  /** Sent by the plane itself, not by a target. */
  scaled?(step: ScalingStep): void;
}

/** Cause of a change of replicas: see `autoscaler.ts`; `cores`: other versions need the cores. */
export type ScalingCause =
  | 'bounds'
  | 'woken'
  | 'demand'
  | 'pressure'
  | 'idle'
  | 'quiet'
  | 'steady'
  | 'cores';

/** A scaling decision that changed something. */
export interface ScalingStep {
  readonly deployment: string;
  readonly version: string;
  /** Requested replicas before and after. */
  readonly from: number;
  readonly to: number;
  readonly cause: ScalingCause;
}
