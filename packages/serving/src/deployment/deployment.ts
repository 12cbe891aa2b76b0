/**
 * A name that receives traffic: its versions with their weights, its settings, and the routing of a
 * request to one of them.
 *
 *   request → pinned or split → deadline → [cache] → [shadow] → target
 *
 * With one version and neither cache nor shadow, a request only gets a deadline, and the face
 * awaits the target's own promise. A target that streams is held to its bounds, see
 * `answer-stream.ts`. The split changes in one synchronous step, and a version gets
 * traffic only while it is part of the split, so no request reaches a draining target.
 *
 * The observer of its targets keeps the last minute, without an extra promise.
 */
import { SkeinError, type RolloutEvidence } from '@skein/api';
import { answerInChunks } from './answer-stream.ts';
import type { ScalingSignals } from '../scaling/autoscaler.ts';
import { bindDeadline } from './bind-deadline.ts';
import type {
  Clock,
  DeployedModel,
  InferenceAnswer,
  InferenceRequest,
  Prediction,
  ScalingStep,
  Target,
  TargetRequest,
} from '../contract.ts';
import { DeploymentObserver, type ObserverOptions } from '../monitoring/deployment-observer.ts';
import { describeElsewhere, type Elsewhere } from '../follow/elsewhere.ts';
import type { Place } from '../follow/placing.ts';
import type { Journal } from '../monitoring/journal.ts';
import { predict, readyReplicas, scale, type LiveTarget } from './live-target.ts';
import { isRestoring, noTarget, type Stop } from './no-target.ts';
import { requestDigest } from '../cache/request-digest.ts';
import { createResponseCache, type ResponseCache } from '../cache/response-cache.ts';
import { labelsIn } from '../registry/labels.ts';
import type { Comparison } from '../rollout/judge.ts';
import type { Rollout } from '../rollout/rollout.ts';
import type { EffectiveSettings } from './settings.ts';
import type { Shadow } from '../rollout/shadow.ts';
import { stickyPosition, targetAt } from './traffic-split.ts';

export interface DeploymentOptions extends ObserverOptions {
  readonly kind: 'onnx' | 'composition';
  readonly settings: EffectiveSettings;
  /** In [0, 1). */
  readonly random: () => number;
}

export class Deployment {
  readonly name: string;
  readonly kind: 'onnx' | 'composition';
  /** Receives the events of its targets. */
  readonly observer: DeploymentObserver;
  /** Revision of the stored row; 0 before the first write. */
  revision = 0;
  updatedAt = '';
  /** Why it serves nothing at all; undefined if it serves. */
  stopped: Stop | undefined;
  /** Why it still serves an earlier revision than the fleet wants. */
  behind: string | undefined;
  /** Set while other members of the fleet hold it, and this node does not. */
  elsewhere: Elsewhere | undefined;
  /** Set while it still answers here, and other members are notified that it goes. */
  leaving: Place | undefined;
  /** The model that it will serve, while it is restored after the start of the node. */
  restoring: DeployedModel | undefined;
  /** The model that it would serve if it had not failed to start: requests are read by it, for members that hold it. */
  failed: DeployedModel | undefined;
  /** The rollout in progress, or the last one. */
  rollout: Rollout | undefined;
  rolloutStartedAt = '';
  /** The evidence of the last rollout; undefined while it is in progress. */
  evidence: RolloutEvidence | undefined;
  shadow: Shadow | undefined;
  comparison: Comparison | undefined;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #journal: Journal;
  readonly #live = new Map<string, LiveTarget>();
  #effective: EffectiveSettings;
  #objectiveMs: number;
  #cache: ResponseCache | undefined;
  /** Versions with a weight, the incoming one first. */
  #split: readonly LiveTarget[] = [];
  /** The only version with a weight; undefined if there are several or none. */
  #only: LiveTarget | undefined;
  #stickyHeader: string | undefined;

  constructor(options: DeploymentOptions) {
    this.name = options.name;
    this.kind = options.kind;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#journal = options.journal;
    this.observer = new DeploymentObserver(options);
    this.#effective = options.settings;
    this.#objectiveMs = options.settings.settings.objective.latencyMs;
    this.applySettings(options.settings);
  }

  // Routing of a request.

  /** @throws SkeinError as a rejection, for every refusal and failure. */
  infer(request: InferenceRequest): Promise<InferenceAnswer> {
    const live =
      request.version === undefined ? this.#choose(request) : this.#live.get(request.version);
    if (live === undefined) {
      const refusal = noTarget(this, request.version);
      // The member that answers it counts it; without one it is refused here.
      if ((this.elsewhere?.place.others ?? 0) > 0) return Promise.reject(refusal);
      return this.refuse(request, refusal);
    }
    if (live.wanted === 0) this.#wake(live);
    const bound = bindDeadline(request, this.#objectiveMs);
    if (live.target.streams === true) {
      // When a stream does not need its inputs any more is not known.
      request.memory?.leaveToV8();
      return this.#stream(live.target, bound);
    }
    if (this.#cache === undefined && this.shadow === undefined) return live.target.submit(bound);
    return this.#inferWithExtras(live, bound);
  }

  /** When the request would be answered here, if it arrived now. */
  predict(request: InferenceRequest): Prediction {
    const live = request.version === undefined ? this.main : this.#live.get(request.version);
    if (live === undefined) return { refusal: noTarget(this, request.version) };
    const bound = bindDeadline(request, this.#objectiveMs);
    return predict(live.target, bound, this.#clock.now());
  }

  #choose(request: InferenceRequest): LiveTarget | undefined {
    if (this.#only !== undefined) return this.#only;
    const position =
      this.#stickyHeader !== undefined && request.stickyKey !== undefined
        ? stickyPosition(request.stickyKey, this.name)
        : this.#random();
    return targetAt(this.#split, position);
  }

  /** The gap between chunks is bounded by the objective, as the first chunk is by default. */
  #stream(target: Target, request: TargetRequest): Promise<InferenceAnswer> {
    if (request.takesChunks !== true) {
      const message = `Deployment "${this.name}" answers with a stream of chunks.`;
      return this.refuse(request, new SkeinError('STREAM_REQUIRED', message));
    }
    return answerInChunks(target, request, this.#objectiveMs, this.#clock, this.observer);
  }

  #inferWithExtras(live: LiveTarget, request: TargetRequest): Promise<InferenceAnswer> {
    const cache = this.#cache;
    if (cache === undefined) return this.#submit(live, request);
    const digest = requestDigest(live.record.version, request.inputs, request.outputs);
    let ran = false;
    return cache
      .answer(digest, request, () => {
        ran = true;
        return this.#submit(live, request);
      })
      .then(
        (answer) => {
          // The target has reported a run to the observer itself.
          if (!ran) this.observer.answered(request, answer, this.#clock.now());
          return answer;
        },
        (error: unknown) => {
          if (!ran && error instanceof SkeinError)
            this.observer.refused(request, error, this.#clock.now());
          throw error;
        },
      );
  }

  #submit(live: LiveTarget, request: TargetRequest): Promise<InferenceAnswer> {
    const copy = this.shadow?.copyOf(request, live.target);
    const answer = live.target.submit(request);
    if (copy !== undefined) void this.shadow!.compare(copy, answer);
    return answer;
  }

  #wake(live: LiveTarget): void {
    live.reason = 'a request arrived while there was no replica';
    this.noteScaling(live, { from: 0, to: 1, cause: 'woken' });
    scale(live, 1);
  }

  /** Records a step with the version's current reason and signals. */
  noteScaling(
    { record, reason }: LiveTarget,
    step: Omit<ScalingStep, 'deployment' | 'version'>,
    signals?: ScalingSignals,
  ): void {
    const { version } = record;
    this.observer.scaled({ deployment: this.name, version, ...step });
    this.#journal.record({
      deployment: this.name,
      kind: 'scaled',
      reason,
      details: { version, ...step, ...signals },
      actor: 'skein',
    });
  }

  /** Counts a refusal that no target has counted. */
  refuse(request: InferenceRequest, error: SkeinError): Promise<never> {
    this.observer.refused(request, error, this.#clock.now());
    return Promise.reject(error);
  }

  // Its versions.

  get split(): readonly LiveTarget[] {
    return this.#split;
  }

  get live(): ReadonlyMap<string, LiveTarget> {
    return this.#live;
  }

  versions(): string[] {
    return [...this.#live.keys()];
  }

  /** The version with most traffic. */
  get main(): LiveTarget | undefined {
    let main: LiveTarget | undefined;
    for (const live of this.#split)
      if (main === undefined || live.weight > main.weight) main = live;
    return main;
  }

  /** Whether its inputs and outputs are known. */
  get isKnown(): boolean {
    return this.main !== undefined || this.restoring !== undefined || this.elsewhere !== undefined;
  }

  /** Makes a version reachable by its name, without traffic. Replaces one of the same name. */
  add(live: LiveTarget): void {
    this.#live.set(live.record.version, live);
    this.#forgetModels();
  }

  /**
   * Sets the split in one step. Other versions lose their share.
   *
   * @param split the incoming version first, see `traffic-split.ts`.
   */
  route(
    split: readonly { readonly live: LiveTarget; readonly weight: number }[],
    stickyHeader?: string,
  ): void {
    for (const live of this.#live.values()) live.weight = 0;
    for (const { live, weight } of split) live.weight = weight;
    this.#split = split.filter(({ weight }) => weight > 0).map(({ live }) => live);
    this.#only = this.#split.length === 1 ? this.#split[0] : undefined;
    this.#stickyHeader = stickyHeader?.toLowerCase();
    this.#forgetModels();
  }

  /** Removes a version; its target still finishes its accepted requests when it is drained next. */
  remove(live: LiveTarget): void {
    if (this.#live.get(live.record.version) === live) this.#live.delete(live.record.version);
    this.#forgetModels();
  }

  /** Takes all traffic from its versions, which the caller retires. */
  stop(status: Stop['status'], reason: string): void {
    this.stopped = { status, reason };
    this.route([]);
  }

  // Its settings.

  get settings(): EffectiveSettings['settings'] {
    return this.#effective.settings;
  }

  get bounds(): EffectiveSettings['replicas'] {
    return this.#effective.replicas;
  }

  get effective(): EffectiveSettings {
    return this.#effective;
  }

  applySettings(effective: EffectiveSettings): void {
    const before = this.#effective.settings.cache;
    const { cache } = effective.settings;
    this.#effective = effective;
    this.#objectiveMs = effective.settings.objective.latencyMs;
    if (cache === undefined) this.#cache = undefined;
    else if (
      this.#cache === undefined ||
      before?.maxBytes !== cache.maxBytes ||
      before.ttlMs !== cache.ttlMs
    ) {
      this.#cache = createResponseCache(cache, this.#clock);
    }
    this.#forgetModels();
  }

  /** Clears cached answers, after a change of what they were computed with. */
  clearCache(): void {
    this.#cache?.clear();
  }

  // Descriptions for faces and the API.

  /** @throws SkeinError VERSION_UNKNOWN, NO_REPLICA. */
  describe(version?: string): DeployedModel {
    const live = version === undefined ? this.main : this.#live.get(version);
    if (live === undefined) {
      if (isRestoring(this, version)) return this.restoring!;
      if (this.elsewhere !== undefined) return describeElsewhere(this.elsewhere, version);
      if (this.stopped?.status === 'failed' && serves(this.failed, version)) return this.failed;
      throw noTarget(this, version);
    }
    return (live.model ??= this.#modelOf(live));
  }

  #modelOf(live: LiveTarget): DeployedModel {
    return {
      name: this.name,
      version: live.record.version,
      versions: this.versions(),
      signature: live.target.signature,
      kind: this.kind,
      get ready() {
        return canAnswer(live);
      },
      /** Known once the version is warm, and lowered by a run that shows that it must not be batched. */
      get maxBatchRows() {
        return live.target.maxBatchRows;
      },
      labels: labelsIn(live.record.metadata),
      objectiveMs: this.#objectiveMs,
      maxReplicas: this.bounds.max,
      settings: this.settings,
      stickyHeader: this.#stickyHeader,
    };
  }

  #forgetModels(): void {
    for (const live of this.#live.values()) live.model = undefined;
  }

  isReady(version?: string): boolean {
    if (this.elsewhere !== undefined) {
      return describeElsewhere(this.elsewhere, version).ready;
    }
    if (version !== undefined) {
      const live = this.#live.get(version);
      return live !== undefined && canAnswer(live);
    }
    return this.#split.some(canAnswer);
  }
}

function serves(model: DeployedModel | undefined, version?: string): model is DeployedModel {
  return model !== undefined && (version === undefined || model.versions.includes(version));
}

/** A version that was scaled to zero counts as ready too: a request starts its replica. */
function canAnswer(live: LiveTarget): boolean {
  return live.wanted === 0 || readyReplicas(live.target.snapshot()) > 0;
}
