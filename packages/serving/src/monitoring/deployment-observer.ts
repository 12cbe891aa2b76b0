/**
 * Observes the targets of a deployment: keeps the window of the last minute, forwards events to
 * telemetry, and notifies listeners that wait for a replica. Copies of requests for a shadow have
 * no waiting caller, so they are neither counted nor forwarded.
 */
import {
  ERRORS,
  type DeploymentTraffic,
  type DeploymentView,
  type SkeinError,
  type TrafficRange,
} from '@skein/api';
import type { RunTimes } from '@skein/runtime';
import type {
  Clock,
  InferenceAnswer,
  InferenceRequest,
  Instant,
  ReplicaSnapshot,
  ScalingStep,
  ServingObserver,
  TargetRequest,
} from '../contract.ts';
import type { EventBus } from './events.ts';
import type { Journal } from './journal.ts';
import type { OutputWatch } from '../rollout/output-watch.ts';
import { createRecentWindow, type RecentWindow } from './recent-window.ts';
import { isShadow } from '../rollout/shadow.ts';
import { TrafficHistory } from './traffic-history.ts';

export interface ObserverOptions {
  /** Name of the deployment. */
  readonly name: string;
  readonly clock: Clock;
  readonly observer: ServingObserver;
  readonly journal: Journal;
  readonly events: EventBus;
}

export class DeploymentObserver implements ServingObserver {
  readonly #options: ObserverOptions;
  readonly #recent: RecentWindow;
  readonly #history: TrafficHistory;
  readonly #replicaListeners = new Set<() => void>();
  /** Receives every answer during a rollout that compares outputs. */
  watch: OutputWatch | undefined;

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#recent = createRecentWindow(options.clock.now());
    this.#history = new TrafficHistory(options.clock.now());
  }

  answered(request: TargetRequest, answer: InferenceAnswer, finishedAt: Instant): void {
    const latencyMs = finishedAt - request.arrivedAt;
    this.watch?.note(answer.version, answer.outputs, latencyMs);
    if (isShadow(request)) return;
    const inTime = finishedAt <= request.deadline;
    this.#recent.answered(latencyMs, inTime, finishedAt);
    this.#history.answered(latencyMs, inTime, finishedAt);
    this.#options.observer.answered(request, answer, finishedAt);
  }

  refused(request: InferenceRequest, error: SkeinError, at: Instant): void {
    if (isShadow(request)) return;
    const shed = ERRORS[error.code].kind !== 'user';
    this.#recent.refused(shed, at);
    this.#history.refused(shed, at);
    this.#options.observer.refused(request, error, at);
  }

  batchRan(deployment: string, version: string, rows: number, times: RunTimes): void {
    this.#options.observer.batchRan(deployment, version, rows, times);
  }

  replicaChanged(deployment: string, version: string, replica: ReplicaSnapshot): void {
    const { observer, events, journal } = this.#options;
    observer.replicaChanged(deployment, version, replica);
    const { id, state, failure } = replica;
    const details = { version, replica: id, state };
    if (failure === undefined) {
      events.publish({ kind: 'replica', deployment, reason: state, details });
    } else {
      journal.record({
        deployment,
        kind: 'replica-lost',
        reason: failure,
        details,
        actor: 'skein',
      });
    }
    for (const listener of this.#replicaListeners) listener();
  }

  scaled(step: ScalingStep): void {
    this.#options.observer.scaled?.(step);
  }

  /** Calls back after each change of a replica's state. @returns ends it. */
  onReplicaChange(listener: () => void): () => void {
    this.#replicaListeners.add(listener);
    return () => void this.#replicaListeners.delete(listener);
  }

  lastMinute(now: Instant): DeploymentView['last'] {
    return this.#recent.summary(now);
  }

  traffic(range: TrafficRange, now: Instant): DeploymentTraffic {
    return { range, points: this.#history.points(range, now, Date.now()) };
  }
}
