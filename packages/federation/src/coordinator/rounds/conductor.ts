/**
 * Takes one run from step to step. State that it must not lose is in the store before anything follows
 * from it: a coordinator that was killed resumes from the stored state, with the stored answers.
 *
 *   gather ─▶ phase ─▶ phase ─▶ … ─▶ gather of the next round
 *     ▲         │ fewer answers than the threshold, or a faulty sum
 *     └─────────┘ aborted: the next attempt
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { isOver } from '@skein/api/federations';
import type { Strategy } from '@skein/train/federated';
import { pseudonymOf } from '../../identity/keys.ts';
import type { LedgerEntry, LedgerEvent } from '../../ledger/entry.ts';
import { MOST_ATTEMPTS } from '../../plan/encoding.ts';
import { aggregationIn } from '../../plan/kinds/choices.ts';
import { strategyOfPlan } from '../../plan/strategy.ts';
import type { RunRecord, RunState } from '../../store/federation-store.ts';
import type { Payload } from '../../transport/chunks.ts';
import type { Place } from '../../transport/messages.ts';
import type { Aggregator } from '../aggregation/aggregator.ts';
import {
  accusations,
  closed,
  type ConductorOptions,
  dropAnswers,
  isOfSites,
  requireLiving,
  restoreAttempt,
  retryAfterMs,
  takesPart,
} from './attempt.ts';
import type { Notebook } from './notebook.ts';
import { PhaseClock } from './phase-clock.ts';
import { Places } from './places.ts';
import { rosterOf } from './roster.ts';
import { broadcastOf, type StoredState } from './server-state.ts';
import { Connected } from '../sessions/connected.ts';
import {
  type Answer,
  ask,
  placeText,
  requireSigned,
  type Session,
  statusOf,
  notify,
  withdraw,
} from '../sessions/session.ts';
import { chargeOf, isBudgetSpent } from '../../plan/spent.ts';
import { countsIn } from '../../statistics/layout.ts';
import { withSummed } from './summed-sites.ts';
import { storedState, storeRound } from './stored-rounds.ts';
import { keepPayload } from '../storage/uploads.ts';
import { aggregationOf } from '../aggregation/aggregations.ts';

const SPENT = 'PRIVACY_BUDGET_SPENT: a further round would exceed the privacy budget.';

export class Conductor {
  readonly places: Places;
  readonly #options: ConductorOptions;
  readonly #notebook: Notebook;
  readonly #strategy: Strategy;
  readonly #aggregation: ReturnType<typeof aggregationOf>;
  readonly #sessions = new Connected();
  #server: StoredState | undefined;
  /** Aggregator of the present attempt; made again from stored answers when it is missing. */
  #aggregator: Aggregator | undefined;
  /** Sites whose answer to the present phase is stored, or which have declined to give one. */
  readonly #answered = new Set<string>();
  readonly #declined = new Set<string>();
  /** Events of the last phase that the ledger does not hold yet. */
  #unrecorded: readonly LedgerEvent[] = [];
  readonly #clock = new PhaseClock();
  #turns: Promise<unknown> = Promise.resolve();
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();
  #isClosed = false;
  readonly #loop: Promise<void>;

  constructor(notebook: Notebook, options: ConductorOptions) {
    this.#options = options;
    this.#notebook = notebook;
    this.#strategy = strategyOfPlan(notebook.record.plan);
    this.#aggregation = aggregationOf(notebook.record.plan);
    this.places = new Places(this, options);
    this.#loop = this.#run();
  }

  get record(): RunRecord {
    return this.#notebook.record;
  }
  isConnected(key: string): boolean {
    return this.#sessions.byKey.has(key);
  }
  hasAnswered(key: string): boolean {
    return this.#answered.has(key);
  }

  /** A site that has accepted the plan. */
  join(session: Session): void {
    this.#sessions.add(session);
    // The entry first: a site whose federation has ended leaves at the status.
    notify(session, { kind: 'entry', entry: this.#notebook.tail });
    notify(session, statusOf(this.record));
    this.#changed();
  }
  leave(session: Session): void {
    if (this.#sessions.remove(session)) this.#changed();
  }
  /** Ends the connection of a key. */
  expel(key: string, reason: SkeinError): void {
    this.places.remove(key);
    this.#sessions.byKey.get(key)?.channel.close(reason);
  }

  /**
   * An operator's or a member's event: the state that it leads to, and the entry that gives the reason.
   * @throws SkeinError FEDERATION_ENDED for a state of a run that is over.
   */
  note(event: LedgerEvent, state: Partial<RunState> = {}): Promise<void> {
    return this.#turn(async () => {
      // Its last round may have ended meanwhile.
      if (state.status !== undefined) requireLiving(this.record);
      await this.#advance(state, [event]);
      // The time of a pause is none of a phase's.
      if (state.status === 'running') this.#startDeadline();
      if (state.status !== undefined) this.#notifyAll();
    });
  }

  /** Ends the run, unless it is over: with the model of the last round that has ended by then. */
  end(status: 'stopped' | 'failed', reason: string): Promise<void> {
    return this.#turn(async () => {
      if (isOver(this.record.state)) return;
      await this.#end(status, reason);
      // The answers of the run serve nothing any more.
      await dropAnswers(this.record, this.#options);
    });
  }

  witness(witness: LedgerEntry['witnesses'][number]): Promise<void> {
    return this.#notebook.witness(witness);
  }

  /** A site that has not answered declines to. */
  decline(key: string, place: Place): void {
    if (placeText(place) !== placeText(this.#place) || this.#answered.has(key)) return;
    this.#declined.add(key);
    this.#changed();
  }

  /** A site that cannot answer names the sites that dealt it false shares: once in a phase, since it declines by it. */
  accuse(key: string, place: Place, accused: readonly string[]): Promise<void> {
    return this.#turn(async () => {
      if (placeText(place) !== placeText(this.#place)) return;
      if (this.#answered.has(key) || this.#declined.has(key)) return;
      await this.#advance({}, await accusations(this.record, accused, key));
      this.decline(key, place);
    });
  }

  /**
   * Stores an answer and counts it once; the same answer again is fine.
   * @throws SkeinError IDENTITY_UNPROVEN, ANSWER_INVALID, ANSWER_CONFLICT, PHASE_CLOSED.
   */
  async answer(answer: Answer, payload: Payload | undefined): Promise<void> {
    const { place, site } = answer;
    await requireSigned(answer, payload?.digest, this.record);
    const stored = { ...answer, ...(payload === undefined ? {} : { payload: payload.digest }) };
    const { artifacts, store, sweeper } = this.#options;
    return this.#turn(async () => {
      const isPresent = placeText(place) === placeText(this.#place);
      if (!isPresent || this.#answered.has(site))
        return void (await store.addAnswer(this.record.id, stored));
      // An answer in flight is taken while the run is paused, too.
      const aggregator = takesPart(this.record, site) ? await this.#attempt() : undefined;
      if (!aggregator?.expected().includes(site)) throw closed(place);
      await aggregator.accept(answer, payload);
      try {
        await sweeper.protect(async () => {
          if (payload !== undefined) await keepPayload(artifacts, payload);
          await store.addAnswer(this.record.id, stored);
        });
      } catch (error) {
        // It has taken what is not stored.
        this.#aggregator = undefined;
        throw error;
      }
      this.#answered.add(site);
      this.#changed();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake.resolve();
    this.#sessions.close();
    await this.#loop;
  }

  get #place(): Place {
    const { round, attempt, phase } = this.record.state;
    return { round, attempt, phase };
  }

  /** One transition at a time. */
  #turn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turns.then(act, act);
    this.#turns = turn.catch(() => {});
    return turn;
  }
  #changed(): void {
    this.#wake.resolve();
    this.#options.onChange();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      this.#wake = Promise.withResolvers();
      const waitMs = await this.#turn(() => this.#step()).catch(async (error: unknown) => {
        if (this.#isClosed) return 0;
        this.#options.onFault(error);
        this.#aggregator = undefined;
        await this.#notebook.reload().catch(() => {});
        return retryAfterMs(5);
      });
      if (waitMs > 0 && !this.#isClosed) await this.#sleep(waitMs);
    }
  }
  async #sleep(ms: number): Promise<void> {
    const timer = ms === Infinity ? undefined : setTimeout(this.#wake.resolve, Math.ceil(ms));
    await this.#wake.promise;
    clearTimeout(timer);
  }

  /** @returns how long to wait for the next event, in milliseconds; 0: continue. */
  async #step(): Promise<number> {
    const { plan, state } = this.record;
    if (state.status !== 'running') return Infinity;
    if (state.phase === 'gather') {
      if (state.round >= plan.rounds) return this.#end('finished', 'All rounds are done.');
      if (isBudgetSpent(plan, state.releases)) {
        // Counts have one round, without which there are none.
        return this.#end(countsIn(plan) === undefined ? 'finished' : 'failed', SPENT);
      }
      return this.#clock.pausedMs() || this.#open();
    }
    const aggregator = await this.#attempt().catch((error: unknown) => this.#abort(error));
    if (aggregator === undefined) return 0;
    const expected = aggregator.expected().filter((site) => !this.#declined.has(site));
    const isEnough = this.#answered.size >= aggregator.enough();
    const missing = isEnough ? [] : expected.filter((site) => !this.#answered.has(site));
    for (const site of missing) {
      const session = this.#sessions.byKey.get(site);
      if (session === undefined) continue;
      const taskOf = (key: string) => withSummed(this.record, aggregator.task(key), key);
      ask(session, this.#place, taskOf, this.#clock.remainingMs());
    }
    if (missing.length > 0 && expected.length >= aggregator.needed()) {
      const waitMs = this.#clock.waitMs(missing.some((site) => this.#sessions.byKey.has(site)));
      if (waitMs > 0) return waitMs;
    }
    await this.#closePhase(aggregator).catch((error: unknown) => this.#abort(error));
    return 0;
  }

  /** Begins an attempt when enough sites are connected. */
  async #open(): Promise<number> {
    const { plan, state } = this.record;
    const { round, attempt, suspects } = state;
    const chosen = rosterOf(plan, this.#sessions.byKey, suspects);
    if (chosen === undefined) return Infinity;
    const pseudonyms = await Promise.all(chosen.map(pseudonymOf));
    await this.#enter(this.#aggregation.phases[0]!, { roster: chosen }, [
      { kind: 'opened', round, attempt, roster: pseudonyms },
    ]);
    return 0;
  }

  /** Into a phase, with what it may spend written before anything is asked. */
  async #enter(
    phase: string,
    state: Partial<RunState>,
    events: readonly LedgerEvent[],
  ): Promise<void> {
    const { plan } = this.record;
    const { round, attempt, releases } = this.record.state;
    const charged =
      phase === aggregationIn(plan).releasing
        ? chargeOf(plan, { round, attempt, releases: releases + 1 })
        : [];
    await this.#advance({ ...state, phase, releases: releases + charged.length }, [
      ...events,
      ...charged,
    ]);
    this.#startDeadline();
  }
  #startDeadline(): void {
    const { plan, state } = this.record;
    this.#clock.start(state.phase, plan, this.#aggregation.training);
  }

  async #closePhase(aggregator: Aggregator): Promise<void> {
    const { phases } = this.#aggregation;
    const { phase } = this.record.state;
    const next = phases[phases.indexOf(phase) + 1];
    const events = await aggregator.close();
    if (next !== undefined) return this.#enter(next, {}, events);
    // Events of an attempt whose sum turns out to be faulty are kept too.
    this.#unrecorded = events;
    await this.#finishRound(aggregator);
  }

  async #finishRound(aggregator: Aggregator): Promise<void> {
    const { artifacts, sweeper, folder } = this.#options;
    const { state } = this.record;
    const sum = await aggregator.sum();
    const path = join(folder, 'next-state');
    await sweeper.protect(async () => {
      const before = await this.#serverState();
      const round = { record: this.record, strategy: this.#strategy, before, sum, path };
      const { next, finished } = await storeRound(round, artifacts);
      const accused = await accusations(this.record, aggregator.liars());
      const events = [...this.#unrecorded, ...accused, finished];
      await this.#advance({ ...next, suspects: undefined }, events);
    });
    this.#aggregator = undefined;
    this.#unrecorded = [];
    await rm(path, { force: true });
    await dropAnswers(this.record, this.#options, [state.parameters, state.optimiser]);
    this.#notifyAll();
  }

  /** The attempt ends without a sum; what it may have spent stays spent. */
  async #abort(error: unknown): Promise<undefined> {
    if (!isOfSites(error)) throw error;
    const { round, attempt, phase } = this.record.state;
    const reason = error instanceof Error ? error.message : String(error);
    const code = error instanceof SkeinError ? error.code : 'ANSWER_INVALID';
    const suspects = this.#aggregator?.suspects() ?? [];
    const accused = await accusations(this.record, this.#aggregator?.liars() ?? []);
    this.#aggregator = undefined;
    const aborted: LedgerEvent = { kind: 'aborted', round, attempt, phase, code, reason };
    const change = { attempt: attempt + 1, phase: 'gather', roster: [], suspects };
    await this.#advance(change, [...this.#unrecorded, ...accused, aborted]);
    this.#unrecorded = [];
    this.#clock.pause(retryAfterMs(attempt));
    await dropAnswers(this.record, this.#options);
    if (attempt + 1 >= MOST_ATTEMPTS)
      await this.#end('failed', `Round ${round} was aborted ${MOST_ATTEMPTS} times.`);
    this.#notifyAll();
    return undefined;
  }

  async #end(status: 'finished' | 'stopped' | 'failed', reason: string): Promise<number> {
    const model = this.record.state.parameters;
    await this.#advance({ status, reason }, [
      { kind: 'ended', status, reason, ...(model === undefined ? {} : { model }) },
    ]);
    this.#notifyAll();
    return 0;
  }

  async #advance(change: Partial<RunState>, events: readonly LedgerEvent[]): Promise<void> {
    const before = placeText(this.#place);
    const entries = await this.#notebook.advance(change, events);
    // It holds shares of secrets of the sites.
    if (isOver(this.record.state)) this.#aggregator = undefined;
    const isLeft = placeText(this.#place) !== before;
    if (isLeft) {
      this.#answered.clear();
      this.#declined.clear();
    }
    const { isOneMessage } = aggregationIn(this.record.plan);
    for (const session of this.#sessions.all) {
      if (isLeft) withdraw(session);
      if (isOneMessage && session.role === 'site') continue;
      for (const entry of entries) notify(session, { kind: 'entry', entry });
    }
    this.#changed();
  }

  async #serverState(): Promise<StoredState> {
    if (this.#server?.round === this.record.state.round) return this.#server;
    this.#server = await storedState(this.record, this.#options.artifacts);
    return this.#server;
  }

  /** The aggregator of the present attempt, made again from the stored answers if need be. */
  async #attempt(): Promise<Aggregator> {
    if (this.#aggregator !== undefined) return this.#aggregator;
    const broadcast = await broadcastOf(await this.#serverState(), this.#strategy.site);
    const { aggregator, answered } = await restoreAttempt(this.record, broadcast, this.#options);
    this.#answered.clear();
    for (const site of answered) this.#answered.add(site);
    if (!this.#clock.isStarted) this.#startDeadline();
    this.#aggregator = aggregator;
    return aggregator;
  }

  #notifyAll(): void {
    for (const session of this.#sessions.all) notify(session, statusOf(this.record));
  }
}
