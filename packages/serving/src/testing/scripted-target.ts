/**
 * A target that follows a script, in place of a runtime, for tests of the code that manages
 * targets. The end-to-end tests show that the real one behaves the same.
 */
import { SkeinError } from '@skein/api';
import { tensor, type Signature, type TensorMap } from '@skein/onnx';
import type {
  InferenceAnswer,
  ReplicaSnapshot,
  Target,
  TargetRequest,
  TargetSnapshot,
} from '../contract.ts';
import type { TargetPlan } from '../deployment/target-factory.ts';

export interface Script {
  /** Fails the first load. */
  readonly loadError?: Error;
  /** Replicas are ready once this resolves; at once when absent. */
  readonly loading?: Promise<void>;
  readonly respond?: (request: TargetRequest) => Promise<TensorMap>;
  /** Makes it a target that streams. */
  readonly stream?: (request: TargetRequest) => AsyncIterable<TensorMap>;
  readonly calls?: readonly string[];
  readonly predictedDelayMs?: () => number;
}

export const SIGNATURE: Signature = {
  inputs: [{ name: 'x', type: 'float32', shape: ['batch', 1] }],
  outputs: [{ name: 'y', type: 'float32', shape: ['batch', 1] }],
};

export class ScriptedTarget implements Target {
  readonly version: string;
  readonly signature = SIGNATURE;
  readonly kind: 'onnx' | 'composition';
  readonly maxBatchRows = 32;
  readonly calls: readonly string[] | undefined;
  readonly streams: boolean;
  readonly plan: TargetPlan;
  readonly script: Script;
  readonly scales: number[] = [];
  readonly requests: TargetRequest[] = [];
  drained = false;
  #replicas: ReplicaSnapshot[] = [];
  #inFlight = 0;
  #answered = 0;
  #inTime = 0;
  #refused: Record<string, number> = {};
  #onIdle: (() => void) | undefined;

  constructor(plan: TargetPlan, script: Script) {
    this.plan = plan;
    this.script = script;
    this.version = plan.record.version;
    this.kind = plan.record.kind;
    this.calls = script.calls;
    this.streams = script.stream !== undefined;
  }

  async submit(request: TargetRequest): Promise<InferenceAnswer> {
    if (this.drained) throw new Error('A request met a target that drains.');
    this.requests.push(request);
    if (this.script.stream !== undefined) return this.#firstOf(this.script.stream(request));
    this.#inFlight++;
    try {
      const respond = this.script.respond ?? (async () => constant(Number(this.version)));
      const outputs = await respond(request);
      const now = performance.now();
      const answer = this.#answer(outputs);
      this.#answered++;
      if (now <= request.deadline) this.#inTime++;
      this.plan.observer.answered(request, answer, now);
      return answer;
    } catch (error) {
      const refusal = error instanceof SkeinError ? error : new SkeinError('INTERNAL', 'Scripted.');
      this.#refused[refusal.code] = (this.#refused[refusal.code] ?? 0) + 1;
      this.plan.observer.refused(request, refusal, performance.now());
      throw refusal;
    } finally {
      if (--this.#inFlight === 0) this.#onIdle?.();
    }
  }

  #answer(outputs: TensorMap): InferenceAnswer {
    const times = { queueMs: 0, computeMs: 0, batchRows: 1 };
    return { version: this.version, outputs, times, cached: false };
  }

  async #firstOf(stream: AsyncIterable<TensorMap>): Promise<InferenceAnswer> {
    const chunks = stream[Symbol.asyncIterator]();
    const first = await chunks.next();
    if (first.done === true) throw new Error('The script has no chunk.');
    return { ...this.#answer(first.value), rest: { [Symbol.asyncIterator]: () => chunks } };
  }

  snapshot(): TargetSnapshot {
    const arrived = this.requests.length;
    return {
      replicas: this.#replicas,
      queuedRequests: 0,
      queuedRows: 0,
      inFlightRows: this.#inFlight,
      predictedDelayMs: this.script.predictedDelayMs?.() ?? 0,
      arrivedRequests: arrived,
      arrivedRows: arrived,
      answered: this.#answered,
      answeredInTime: this.#inTime,
      refused: { ...this.#refused },
      latencies: [{ rows: 1, p50Ms: 10, p99Ms: 12, runs: 1 }],
    };
  }

  scaleTo(count: number): void {
    this.scales.push(count);
    const state = this.script.loading === undefined ? 'ready' : 'loading';
    this.#setReplicas(count, state);
    void this.script.loading?.then(() => this.#setReplicas(this.scales.at(-1)!, 'ready'));
  }

  async whenReady(): Promise<void> {
    if (this.script.loadError !== undefined) throw this.script.loadError;
    await this.script.loading;
  }

  async drain(): Promise<void> {
    this.drained = true;
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    this.#setReplicas(0, 'gone');
  }

  #setReplicas(count: number, state: ReplicaSnapshot['state']): void {
    this.#replicas = Array.from({ length: count }, (_, i) => ({
      id: `${this.plan.deployment}/${this.version}#${i}`,
      state,
      busy: false,
      since: 0,
      runs: 0,
    }));
    for (const replica of this.#replicas) {
      this.plan.observer.replicaChanged(this.plan.deployment, this.version, replica);
    }
  }
}

export function constant(value: number): TensorMap {
  return new Map([['y', tensor('float32', [1, 1], Float32Array.of(value))]]);
}
