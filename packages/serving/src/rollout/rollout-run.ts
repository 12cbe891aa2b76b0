/**
 * Executes one rollout: gets the next step from the state machine, stores it where a fleet follows
 * it, and lets this node's part carry it out. All decisions are in `rollout.ts`.
 *
 * A node alone stores only the end: one that stops in the middle restores the last stable split. In
 * a fleet every step is stored in the deployment's row, see `peers.ts`, and any member may continue.
 */
import { randomUUID } from 'node:crypto';
import { SkeinError, type RolloutEvidence, type RolloutPlan } from '@skein/api';
import type { DeploymentRecord, HistoryEntry, VersionRecord } from '@skein/state';
import type { ServingContext } from '../context.ts';
import type { Deployment } from '../deployment/deployment.ts';
import { effectiveSettings, type EffectiveSettings } from '../deployment/settings.ts';
import { isSameRow } from '../follow/reconcile.ts';
import { evidenceView } from './evidence-view.ts';
import { leaseName, Leadership } from './leadership.ts';
import { eventOf, withDeparted, type RolloutReport, type RolloutReports } from './peers.ts';
import { RolloutPart } from './rollout-part.ts';
import { isTaken, rolloutOf, rowOf } from './rollout-row.ts';
import {
  advance,
  beginRollout,
  isOver,
  shareOf,
  type Rollout,
  type RolloutEvent,
} from './rollout.ts';

interface RunOptions {
  readonly context: ServingContext;
  readonly deployment: Deployment;
  readonly record: VersionRecord;
  /** Settings that apply once the version has taken over. */
  readonly settings: EffectiveSettings;
  readonly rollout: Rollout;
  readonly id: string;
  readonly startedAt: string;
}

const NODE = 'skein';
const ALONE = 'this node';
/** Between two reads of the row by a member: while it waits for others to be ready, and later at least. */
const READY_TICK_MS = 100;

export class RolloutRun {
  readonly #context: ServingContext;
  readonly #deployment: Deployment;
  /** Settings that apply once the version has taken over. */
  readonly settings: EffectiveSettings;
  readonly #part: RolloutPart;
  readonly #id: string;
  readonly #startedAt: string;
  #rollout: Rollout;
  /** The reports of this step, in a leader. */
  #reports: RolloutReports = new Map();
  readonly #leadership: Leadership;
  #timer: NodeJS.Timeout | undefined;
  /** Resolves when the first step begins, and when the rollout is over or this node leaves it. */
  readonly #begun = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  /** Steps run one after another: a verdict and an operator's abort never overlap. */
  #last: Promise<void> = Promise.resolve();

  private constructor({ context, deployment, record, settings, ...options }: RunOptions) {
    this.#context = context;
    this.#deployment = deployment;
    this.settings = settings;
    this.#rollout = options.rollout;
    this.#id = options.id;
    this.#startedAt = options.startedAt;
    this.#leadership = new Leadership(context, deployment.name);
    this.#part = new RolloutPart(context, deployment, record, settings);
    deployment.rollout = this.#rollout;
    deployment.comparison = undefined;
    deployment.rolloutStartedAt = this.#startedAt;
    context.runs.set(deployment.name, this);
  }

  /**
   * Starts a rollout. Resolves when the version is warm, in a fleet on every member, and takes its
   * first step; the rest follows without the caller.
   * @throws SkeinError as `bringUp` does; ROLLED_BACK if it was aborted meanwhile; as `putDeployment`.
   */
  static async start(
    context: ServingContext,
    deployment: Deployment,
    record: VersionRecord,
    plan: RolloutPlan,
    settings: EffectiveSettings,
    actor: string,
  ): Promise<void> {
    const from = deployment.split.map((live) => ({
      version: live.record.version,
      weight: live.weight,
    }));
    const { quantile } = settings.settings.objective;
    const run = new RolloutRun({
      context,
      deployment,
      record,
      settings,
      rollout: beginRollout(plan, from, record.version, quantile, context.clock.now()),
      id: randomUUID(),
      startedAt: new Date().toISOString(),
    });
    run.#note('rollout-started', `rollout of version ${record.version} as ${plan.strategy}`, actor);
    await run.#start();
  }

  /**
   * Takes part in a rollout that another member has started.
   * @param row of the deployment at the present step.
   */
  static async join(
    context: ServingContext,
    deployment: Deployment,
    row: DeploymentRecord,
  ): Promise<void> {
    const stored = row.rollout!;
    const record = await context.registry.version(deployment.name, stored.to);
    // A slow store may have brought news of its end meanwhile.
    if (context.runs.has(deployment.name) || !isSameRow(deployment, row)) return;
    const settings = effectiveSettings(stored.settings, context.cores);
    const { id, startedAt } = stored;
    const rollout = rolloutOf(stored, context.clock.now());
    const run = new RolloutRun({ context, deployment, record, settings, rollout, id, startedAt });
    run.#take().catch((error: unknown) =>
      context.log('This member cannot take part in a rollout.', {
        deployment: deployment.name,
        error,
      }),
    );
  }

  async #start(): Promise<void> {
    if (this.#context.peers !== undefined) {
      await this.#serially(async () => {
        try {
          await this.#store(this.#rollout);
        } catch (error) {
          this.#end(this.#rolledBack(messageOf(error)));
          throw error;
        }
      });
    }
    await this.#take();
    await Promise.race([this.#begun.promise, this.#over.promise]);
    const { phase, to, reason } = this.#rollout;
    if (phase === 'rolled-back') {
      throw new SkeinError('ROLLED_BACK', `Version ${to} was rolled back: ${reason}.`);
    }
  }

  /** Loads the version here and conducts the rollout from then on. */
  async #take(): Promise<void> {
    const { peers } = this.#context;
    if (peers !== undefined) this.#schedule();
    let failure: unknown;
    const loading = this.#part
      .load(() => this.#rollout)
      .catch((error: unknown) => (failure = error));
    // An abort does not wait for a model that takes minutes to load.
    await Promise.race([loading, this.#over.promise]);
    if (failure !== undefined) {
      const where = peers === undefined ? '' : `on member ${peers.self}: `;
      await this.abort(`${where}${messageOf(failure)}`, NODE);
      throw failure as Error;
    }
    if (isOver(this.#rollout)) return;
    peers?.publish();
    // In a fleet the others may be further already.
    if (this.#rollout.phase !== 'warming') this.#part.enter(this.#rollout);
    await this.tick();
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (isOver(this.#rollout)) return;
    const { plan, phase } = this.#rollout;
    const least = this.#context.peers === undefined ? 25 : READY_TICK_MS;
    const everyMs =
      phase === 'warming' ? READY_TICK_MS : Math.max(least, Math.min(1000, plan.stepMs / 4));
    this.#timer = setTimeout(() => void this.tick().then(() => this.#schedule()), everyMs).unref();
  }

  /** Follows the row, and in a leader judges the evidence and takes the next step if it is due. */
  tick(): Promise<void> {
    const look = async (): Promise<void> => {
      await this.#follow();
      if (isOver(this.#rollout) || !(await this.#leadership.leads())) return;
      await this.#gather();
      const event = eventOf(this.#rollout, this.#reports, this.#context.clock.now());
      if (event !== undefined) await this.#advance(event, NODE);
    };
    // While the store is away, the version keeps its share.
    return this.#serially(look).catch((error: unknown) =>
      this.#context.log('A step of a rollout could not be taken.', {
        deployment: this.#deployment.name,
        error,
      }),
    );
  }

  /**
   * Returns to the previous split, in a fleet on every member. Does nothing if the rollout has ended.
   * @throws SkeinError STORE_UNREACHABLE, STORE_REPLACED.
   */
  abort(reason: string, actor: string): Promise<void> {
    return this.#serially(() => this.#advance({ kind: 'failed', reason }, actor));
  }

  /** Makes what this node does agree with the row. A rollout that is not there any more has ended. */
  follow(): Promise<void> {
    return this.#serially(() => this.#follow());
  }

  /** The node ends. The other members continue the rollout; alone, it is over. */
  async leave(): Promise<void> {
    if (this.#context.peers === undefined) return this.abort('the node is shutting down', NODE);
    clearTimeout(this.#timer);
    this.#over.resolve();
    await this.#last.catch(() => {});
    clearTimeout(this.#timer);
    await this.#leadership.release();
  }

  /** This member's report to the others. */
  report(): RolloutReport {
    const state = this.#part.isReady ? 'ready' : 'loading';
    return { rollout: this.#id, state, window: this.#part.window() };
  }

  /** Measurements of every member; in any member. */
  async evidence(): Promise<RolloutEvidence> {
    await this.#gather();
    const leader = await this.#context.state.leases.holder(leaseName(this.#deployment.name));
    return evidenceView(this.#deployment, this.#rollout, this.#reports, leader ?? this.#self);
  }

  #serially(work: () => Promise<void>): Promise<void> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => {});
    return next;
  }

  get #self(): string {
    return this.#context.peers?.self ?? ALONE;
  }

  async #gather(): Promise<void> {
    const others = await this.#context.peers?.others(this.#deployment.name);
    const now: RolloutReports = new Map([[this.#self, this.report()], ...(others ?? [])]);
    this.#reports = withDeparted(this.#reports, now, this.#id, this.#rollout.step);
  }

  async #follow(): Promise<void> {
    const { peers, state, clock } = this.#context;
    if (peers === undefined || isOver(this.#rollout)) return;
    const row = await state.deployment(this.#deployment.name);
    if (row?.rollout?.id !== this.#id || row.unloaded === true) {
      this.#end(this.#rolledBack('the deployment has been changed on another member'));
      return;
    }
    if (isSameRow(row, this.#deployment)) return;
    const next = rolloutOf(row.rollout, clock.now());
    if (isOver(next)) await this.#gather();
    this.#apply(next, row);
  }

  async #advance(event: RolloutEvent, actor: string): Promise<void> {
    if (isOver(this.#rollout)) return;
    const next = advance(this.#rollout, event, this.#context.clock.now());
    if (next === this.#rollout) return;
    try {
      this.#apply(next, await this.#store(next));
    } catch (error) {
      // The store may answer again, and the others continue: this member alone decides no end.
      if (!(error instanceof SkeinError) || AWAY.has(error.code)) throw error;
      if (error.code === 'LEASE_LOST') return this.#leadership.lost();
      if (this.#context.peers !== undefined && error.code === 'ROLLOUT_IN_PROGRESS') {
        // Another member was faster. An operator's abort is for whatever step it is at now.
        await this.#follow();
        if (event.kind === 'failed') await this.#advance(event, actor);
        return;
      }
      // The takeover cannot be stored, such as on a full disk.
      return this.#end(this.#rolledBack(error.message), actor);
    }
    this.#noteStep(actor);
  }

  /** @returns the row, where the step has to be stored. @throws SkeinError as `putDeployment`. */
  async #store(next: Rollout): Promise<DeploymentRecord | undefined> {
    const { peers, state } = this.#context;
    const { revision } = this.#deployment;
    if (peers === undefined && !isTaken(next)) return undefined;
    const details = { id: this.#id, startedAt: this.#startedAt, settings: this.settings.settings };
    const row = rowOf(this.#deployment, next, details, peers !== undefined);
    // A failure may be stored by any member; its revision names the change that failed.
    const fence = next.phase === 'rolled-back' ? undefined : this.#leadership.lease;
    return state.putDeployment(row, revision, fence);
  }

  /** Lets this node do what the step asks for. */
  #apply(next: Rollout, row: DeploymentRecord | undefined): void {
    if (isOver(next)) return this.#end(next, undefined, row);
    this.#stand(row);
    this.#become(next);
    if (next.phase !== 'warming' && this.#part.isReady) this.#part.enter(next);
  }

  /** This node equals the row. */
  #stand(row: DeploymentRecord | undefined): void {
    if (row === undefined) return;
    this.#deployment.revision = row.revision;
    this.#deployment.updatedAt = row.updatedAt;
  }

  #become(next: Rollout): void {
    this.#deployment.comparison = this.#deployment.shadow?.comparison;
    this.#rollout = next;
    this.#deployment.rollout = next;
    if (next.phase !== 'warming') this.#begun.resolve();
  }

  /** @param actor notes the end, where this member has decided it. */
  #end(next: Rollout, actor?: string, row?: DeploymentRecord): void {
    const seen: RolloutReports =
      this.#reports.size > 0 ? this.#reports : new Map([[this.#self, this.report()]]);
    this.#become(next);
    this.#deployment.evidence = evidenceView(this.#deployment, next, seen, this.#self);
    const takesOver = isTaken(next);
    if (takesOver && row !== undefined && this.#part.isReady) this.#part.takeOver(row);
    else {
      this.#part.withdraw({ ...next, phase: 'rolled-back' });
      // A version that took over elsewhere, and is not ready here, is loaded as any other change.
      if (!takesOver) this.#stand(row);
    }
    clearTimeout(this.#timer);
    this.#over.resolve();
    this.#context.runs.delete(this.#deployment.name);
    void this.#leadership.release();
    if (actor !== undefined) this.#noteStep(actor);
  }

  #rolledBack(reason: string): Rollout {
    return { ...this.#rollout, phase: 'rolled-back', reason };
  }

  #noteStep(actor: string): void {
    const { phase, reason } = this.#rollout;
    this.#note(NOTES[phase], reason, actor);
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

const AWAY: ReadonlySet<string> = new Set(['STORE_UNREACHABLE', 'STORE_REPLACED']);

const NOTES = {
  warming: 'rollout-step',
  shifting: 'rollout-step',
  comparing: 'rollout-step',
  finished: 'rollout-finished',
  'rolled-back': 'rolled-back',
} as const satisfies Record<Rollout['phase'], HistoryEntry['kind']>;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'the version cannot start';
}
