/**
 * Executes one rollout: loads the version, gets the next step from the state machine, and applies
 * it. All decisions are in `rollout.ts`.
 *
 * Meanwhile, the state holds the previous split. A node that stops in the middle therefore restores
 * the last stable split, and only a finished rollout creates a revision.
 */
import { SkeinError, type RolloutPlan } from '@skein/api';
import type { HistoryEntry, VersionRecord } from '@skein/state';
import type { ServingContext } from '../context.ts';
import type { Deployment } from '../deployment.ts';
import type { LiveTarget } from '../live-target.ts';
import { scale } from '../live-target.ts';
import {
  bringUp,
  forgetAnswersThrough,
  prepare,
  replicasInUse,
  retire,
  takeOver,
} from '../loading.ts';
import { OutputWatch } from './output-watch.ts';
import { OwnWindow } from './own-window.ts';
import type { RolloutWindows } from './windows.ts';
import { addCounts, countsOf, type Counts, type Evidence } from './judge.ts';
import {
  advance,
  beginRollout,
  copiedShareOf,
  isOver,
  shareOf,
  trafficOf,
  type Rollout,
  type RolloutEvent,
} from './rollout.ts';
import type { EffectiveSettings } from '../settings.ts';
import { createShadow } from './shadow.ts';

export interface RolloutOptions {
  readonly context: ServingContext;
  readonly deployment: Deployment;
  readonly record: VersionRecord;
  readonly plan: RolloutPlan;
  /** Settings that apply once the version has taken over. */
  readonly settings: EffectiveSettings;
  readonly actor: string;
}

const NODE = 'skein';

export class RolloutRun {
  readonly #context: ServingContext;
  readonly #deployment: Deployment;
  readonly #record: VersionRecord;
  /** Settings that apply once the version has taken over. */
  readonly settings: EffectiveSettings;
  readonly #stable: readonly LiveTarget[];
  readonly #replicas: number;
  readonly #window = new OwnWindow();
  #rollout: Rollout;
  #candidate: LiveTarget | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #over: Promise<void>;
  #resolveOver: () => void = () => {};
  /** Steps run one after another: a verdict and an operator's abort never overlap. */
  #last: Promise<void> = Promise.resolve();

  constructor({ context, deployment, record, plan, settings, actor }: RolloutOptions) {
    this.#over = new Promise((resolve) => (this.#resolveOver = resolve));
    this.#context = context;
    this.#deployment = deployment;
    this.#record = record;
    this.settings = settings;
    this.#stable = deployment.split;
    this.#replicas = replicasInUse(deployment);
    this.#rollout = beginRollout(
      plan,
      this.#stable.map(({ record, weight }) => ({ version: record.version, weight })),
      record.version,
      settings.settings.objective.quantile,
      context.clock.now(),
    );
    deployment.rollout = this.#rollout;
    deployment.comparison = undefined;
    deployment.rolloutStartedAt = new Date().toISOString();
    // The old version keeps its replicas: it may have to take all traffic again.
    for (const live of this.#stable) live.floor = Math.max(live.floor, live.wanted);
    context.runs.set(deployment.name, this);
    this.#note(
      'rollout-started',
      `rollout of version ${record.version} as ${plan.strategy}`,
      actor,
    );
  }

  /**
   * Resolves when the version is warm and takes its first step; the rest follows by itself.
   * @throws SkeinError as `bringUp` does; ROLLED_BACK if it was aborted meanwhile.
   */
  async warm(): Promise<void> {
    let failure: unknown;
    const loading = this.#load().catch((error: unknown) => {
      failure = error;
    });
    // An abort does not wait for a model that takes minutes to load.
    await Promise.race([loading, this.#over]);
    if (failure !== undefined) {
      const reason = failure instanceof Error ? failure.message : 'the version cannot start';
      await this.#handle(() => ({ kind: 'failed', reason }), NODE);
      throw failure as Error;
    }
    await this.#handle(() => ({ kind: 'warmed' }), NODE);
    if (this.#rollout.phase === 'rolled-back') {
      const { to, reason } = this.#rollout;
      throw new SkeinError('ROLLED_BACK', `Version ${to} was rolled back: ${reason}.`);
    }
    if (isOver(this.#rollout)) return;
    const { stepMs } = this.#rollout.plan;
    this.#timer = setInterval(() => void this.tick(), Math.max(25, Math.min(1000, stepMs / 4)));
    this.#timer.unref();
  }

  async #load(): Promise<void> {
    const { plan } = this.#rollout;
    const live = await prepare(this.#context, this.#deployment, this.#record, this.settings);
    if (isOver(this.#rollout)) return void live.target.drain();
    this.#candidate = live;
    this.#deployment.add(live);
    // A canary grows with its share; an immediate rollout needs the replicas of its predecessor.
    const replicas = plan.strategy === 'immediate' ? this.#replicas : 1;
    await bringUp(this.#context, this.#deployment, live, replicas);
    if (isOver(this.#rollout)) return;
    if (plan.strategy !== 'immediate') {
      this.#deployment.observer.watch = new OutputWatch(this.#record.version);
    }
    if (plan.strategy === 'shadow' || plan.tolerance !== undefined) {
      this.#deployment.shadow = createShadow(live.target, plan.tolerance, this.#context.random);
    }
  }

  /** Judges the evidence and takes the next step if it is due. */
  tick(): Promise<void> {
    return this.#handle(() => ({ kind: 'observed', windows: this.#windows() }), NODE);
  }

  /** Returns to the previous split. Does nothing if the rollout has ended. */
  abort(reason: string, actor: string): Promise<void> {
    return this.#handle(() => ({ kind: 'failed', reason }), actor);
  }

  #handle(event: () => RolloutEvent, actor: string): Promise<void> {
    this.#last = this.#last.then(() => this.#step(event, actor));
    return this.#last;
  }

  async #step(event: () => RolloutEvent, actor: string): Promise<void> {
    if (isOver(this.#rollout)) return;
    const next = advance(this.#rollout, event(), this.#context.clock.now());
    if (next === this.#rollout) return;
    if (next.phase === 'rolled-back') this.#rollBack(next, actor);
    else if (next.phase === 'finished') await this.#finish(next, actor);
    else this.#enter(next, actor);
  }

  #enter(next: Rollout, actor: string): void {
    this.#become(next);
    this.#window.enter(next.step, this.#totals(), this.#deployment.observer.watch);
    const candidate = this.#candidate!;
    const share = shareOf(next) / 100;
    const replicas = Math.max(candidate.wanted, Math.ceil(this.#replicas * share));
    if (replicas > candidate.wanted) scale(candidate, replicas);
    candidate.floor = replicas;
    if (this.#deployment.shadow !== undefined) this.#deployment.shadow.share = copiedShareOf(next);
    this.#route();
    if (share > 0) forgetAnswersThrough(this.#context, this.#deployment.name);
    this.#note('rollout-step', next.reason, actor);
  }

  async #finish(next: Rollout, actor: string): Promise<void> {
    const candidate = this.#candidate!;
    if (next.plan.strategy === 'shadow') {
      this.#become(next);
      void retire(this.#context, this.#deployment, candidate);
    } else {
      try {
        await takeOver(this.#context, this.#deployment, candidate, this.settings);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#rollBack({ ...next, phase: 'rolled-back', reason }, actor);
        return;
      }
      this.#become(next);
    }
    this.#end();
    this.#note('rollout-finished', next.reason, actor);
  }

  #rollBack(next: Rollout, actor: string): void {
    this.#become(next);
    this.#route();
    if (this.#candidate !== undefined)
      void retire(this.#context, this.#deployment, this.#candidate);
    forgetAnswersThrough(this.#context, this.#deployment.name);
    this.#end();
    this.#note('rolled-back', next.reason, actor);
  }

  #become(next: Rollout): void {
    this.#deployment.comparison = this.#deployment.shadow?.comparison;
    this.#rollout = next;
    this.#deployment.rollout = next;
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#deployment.shadow = undefined;
    this.#deployment.observer.watch = undefined;
    this.#resolveOver();
    for (const live of this.#stable) live.floor = 0;
    this.#context.runs.delete(this.#deployment.name);
  }

  #route(): void {
    const byVersion = new Map(this.#stable.map((live) => [live.record.version, live]));
    if (this.#candidate !== undefined) byVersion.set(this.#record.version, this.#candidate);
    this.#deployment.route(
      trafficOf(this.#rollout).map(({ version, weight }) => ({
        live: byVersion.get(version)!,
        weight,
      })),
      this.#rollout.phase === 'shifting' ? this.#rollout.plan.stickyHeader : undefined,
    );
  }

  #totals(): Evidence {
    const { watch } = this.#deployment.observer;
    let stable: Counts = { requests: 0, errors: 0, late: 0, odd: watch?.stableOdd ?? 0 };
    for (const live of this.#stable) stable = addCounts(stable, countsOf(live.target.snapshot()));
    return {
      candidate: {
        ...countsOf(this.#candidate!.target.snapshot()),
        odd: watch?.candidateOdd ?? 0,
      },
      stable,
      comparison: this.#deployment.shadow?.comparison,
    };
  }

  #windows(): RolloutWindows {
    const { watch } = this.#deployment.observer;
    return new Map([[NODE, this.#window.read(this.#totals(), watch)]]);
  }

  #note(kind: HistoryEntry['kind'], reason: string, actor: string): void {
    const { plan, from, to, phase } = this.#rollout;
    this.#context.journal.record({
      deployment: this.#deployment.name,
      kind,
      reason,
      details: { strategy: plan.strategy, from, to, phase, share: shareOf(this.#rollout) },
      actor,
    });
  }
}
