/**
 * This node's part in a rollout: it loads the version, gives it the share that a step asks for, and
 * reports what it has seen. It decides nothing.
 *
 * A version gets no traffic here before it is ready here, whatever step the others carry out.
 */
import type { DeploymentRecord, VersionRecord } from '@skein/state';
import type { ServingContext } from '../context.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { scale, type LiveTarget } from '../deployment/live-target.ts';
import {
  bringUp,
  forgetAnswersThrough,
  prepare,
  replicasInUse,
  switchTo,
} from '../changes/loading.ts';
import type { EffectiveSettings } from '../deployment/settings.ts';
import { retire } from '../changes/unloading.ts';
import { addCounts, countsOf, NOTHING, type Evidence } from './judge.ts';
import { OutputWatch } from './output-watch.ts';
import { OwnWindow } from './own-window.ts';
import { copiedShareOf, isOver, shareOf, trafficOf, type Rollout } from './rollout.ts';
import { createShadow } from './shadow.ts';
import type { RolloutWindow } from './windows.ts';

export class RolloutPart {
  readonly #context: ServingContext;
  readonly #deployment: Deployment;
  readonly #record: VersionRecord;
  readonly #settings: EffectiveSettings;
  readonly #stable: readonly LiveTarget[];
  readonly #replicas: number;
  readonly #window = new OwnWindow();
  #candidate: LiveTarget | undefined;
  #isReady = false;

  constructor(
    context: ServingContext,
    deployment: Deployment,
    record: VersionRecord,
    settings: EffectiveSettings,
  ) {
    this.#context = context;
    this.#deployment = deployment;
    this.#record = record;
    this.#settings = settings;
    this.#stable = deployment.split;
    this.#replicas = replicasInUse(deployment);
    // The old version keeps its replicas: it may have to take all traffic again.
    for (const live of this.#stable) live.floor = Math.max(live.floor, live.wanted);
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get stable(): readonly LiveTarget[] {
    return this.#stable;
  }

  /** @param rollout as it is whenever it is asked. @throws SkeinError as `bringUp` does. */
  async load(rollout: () => Rollout): Promise<void> {
    const { plan } = rollout();
    const live = await prepare(this.#context, this.#deployment, this.#record, this.#settings);
    if (isOver(rollout())) return void live.target.drain();
    this.#candidate = live;
    this.#deployment.add(live);
    // A canary grows with its share; an immediate rollout needs the replicas of its predecessor.
    const replicas = plan.strategy === 'immediate' ? this.#replicas : 1;
    await bringUp(this.#context, this.#deployment, live, replicas);
    if (isOver(rollout())) return;
    if (plan.strategy !== 'immediate') {
      this.#deployment.observer.watch = new OutputWatch(this.#record.version);
    }
    if (plan.strategy === 'shadow' || plan.tolerance !== undefined) {
      this.#deployment.shadow = createShadow(live.target, plan.tolerance, this.#context.random);
    }
    this.#isReady = true;
  }

  /** Carries out the current step. */
  enter(rollout: Rollout): void {
    const candidate = this.#candidate!;
    this.#window.enter(rollout.step, this.#totals(), this.#deployment.observer.watch);
    const share = shareOf(rollout) / 100;
    const replicas = Math.max(candidate.wanted, Math.ceil(this.#replicas * share));
    if (replicas > candidate.wanted) scale(candidate, replicas);
    candidate.floor = replicas;
    if (this.#deployment.shadow !== undefined)
      this.#deployment.shadow.share = copiedShareOf(rollout);
    this.#route(rollout);
    if (share > 0) forgetAnswersThrough(this.#context, this.#deployment.name);
  }

  /** The version becomes the only one. @param row as it is stored. */
  takeOver(row: DeploymentRecord): void {
    const split = [{ live: this.#candidate!, weight: 100 }];
    switchTo(this.#context, this.#deployment, row, split, this.#settings);
    this.#end();
  }

  /** Ends the version; the old one has all traffic again. */
  withdraw(rollout: Rollout): void {
    this.#route(rollout);
    if (this.#candidate !== undefined)
      void retire(this.#context, this.#deployment, this.#candidate);
    forgetAnswersThrough(this.#context, this.#deployment.name);
    this.#end();
  }

  #end(): void {
    this.#isReady = false;
    this.#deployment.shadow = undefined;
    this.#deployment.observer.watch = undefined;
    for (const live of this.#stable) live.floor = 0;
  }

  #route(rollout: Rollout): void {
    const byVersion = new Map(this.#stable.map((live) => [live.record.version, live]));
    if (this.#candidate !== undefined) byVersion.set(this.#record.version, this.#candidate);
    this.#deployment.route(
      trafficOf(rollout).flatMap(({ version, weight }) => {
        const live = byVersion.get(version);
        return live === undefined ? [] : [{ live, weight }];
      }),
      rollout.phase === 'shifting' ? rollout.plan.stickyHeader : undefined,
    );
  }

  /** This node's measurements; none before it is ready. */
  window(): RolloutWindow | undefined {
    if (!this.#isReady) return undefined;
    return this.#window.read(this.#totals(), this.#deployment.observer.watch);
  }

  #totals(): Evidence {
    const { watch } = this.#deployment.observer;
    let stable = { ...NOTHING, odd: watch?.stableOdd ?? 0 };
    for (const live of this.#stable) stable = addCounts(stable, countsOf(live.target.snapshot()));
    const candidate = countsOf(this.#candidate!.target.snapshot());
    return {
      candidate: { ...candidate, odd: watch?.candidateOdd ?? 0 },
      stable,
      comparison: this.#deployment.shadow?.comparison,
    };
  }
}
