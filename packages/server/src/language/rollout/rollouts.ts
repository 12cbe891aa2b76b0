/**
 * Conducts the rollouts of language models: writes down what this member has seen, and lets the
 * policy of rollouts decide on what all members have seen. The decisions come from
 * `serving/rollout`, as for deployments.
 *
 * Every member reads the records; the one that holds the lease of a rollout for a moment takes its step. A
 * change of the record is made under the lease only, so that an operator's rollback and a step of
 * another member do not overwrite each other. A member that restarts resumes with its first request.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type LanguageModel,
  type LanguageRoute,
  type LanguageRolloutPlan,
  type LanguageRolloutRecord,
  type LanguageRolloutView,
  type RouteName,
  SkeinError,
} from '@skein/api';
import type { RolloutTraffic, RouteWindow } from '@skein/generative';
import type { GatewayLogger } from '@skein/http';
import { advance, beginRollout, type RolloutEvent } from '@skein/serving/rollout-policy';
import type { DeclarationRecord, Lease, State } from '@skein/state';
import {
  followable,
  isRoute,
  isRunning,
  policyOf,
  promoted,
  ROLLOUT,
  rolloutsOf,
  routeText,
  seenOf,
  viewOf,
  WINDOW,
  windowsOf,
} from './records.ts';

/** A member that takes a step and is lost is replaced after this time, in milliseconds. */
const LEASE_MS = 3000;
/** How long an operator's change waits for a step of another member, in milliseconds. */
const LONGEST_WAIT_MS = 10_000;
const NODE = 'skein';

export interface RolloutRequest {
  readonly route: LanguageRoute;
  readonly replaces?: RouteName | undefined;
  readonly plan: LanguageRolloutPlan;
}

export interface LanguageRollouts {
  /** @throws SkeinError MODEL_UNKNOWN, PROVIDER_INVALID, ROLLOUT_IN_PROGRESS. */
  start(name: string, request: RolloutRequest, actor: string): Promise<LanguageRolloutView>;
  /** @throws SkeinError MODEL_UNKNOWN, NOTHING_TO_ROLL_BACK, ROLLOUT_IN_PROGRESS. */
  rollBack(name: string, reason: string, actor: string): Promise<LanguageRolloutView>;
  /** Takes over records as they are read: the gateways of this process follow them. */
  follow(records: readonly DeclarationRecord[]): void;
  views(): Promise<LanguageRolloutView[]>;
  close(): Promise<void>;
}

export interface LanguageRolloutsOptions {
  readonly state: Pick<
    State,
    'declarations' | 'putDeclaration' | 'removeDeclaration' | 'leases' | 'addAudit'
  >;
  readonly logger: GatewayLogger;
  /** The traffic of this process, once a gateway is open. */
  readonly traffic: () => RolloutTraffic | undefined;
  readonly requireProviders: (names: readonly string[]) => Promise<void>;
  readonly putModel: (model: LanguageModel) => Promise<void>;
  readonly modelOf: (name: string) => Promise<LanguageModel | undefined>;
  /** Reads the declarations again, and follows them. */
  readonly refresh: () => Promise<void>;
}

export function createLanguageRollouts(options: LanguageRolloutsOptions): LanguageRollouts {
  const { state, logger, traffic, requireProviders, putModel, modelOf, refresh } = options;
  const member = randomUUID();
  let running: readonly LanguageRolloutRecord[] = [];
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  /** Within this process, changes come one after the other: they share the holder of the lease. */
  let last: Promise<unknown> = Promise.resolve();

  async function put(kind: string, name: string, value: object): Promise<void> {
    const plain = JSON.parse(JSON.stringify(value)) as DeclarationRecord['value'];
    await state.putDeclaration({ kind, name, value: plain, updatedAt: new Date().toISOString() });
  }

  function serially<Result>(work: () => Promise<Result>): Promise<Result> {
    const next = last.then(work);
    last = next.catch(() => {});
    return next;
  }

  /** @returns undefined while another member has the lease. */
  async function underLease<Result>(
    model: string,
    work: (lease: Lease) => Promise<Result>,
  ): Promise<{ readonly result: Result } | undefined> {
    const lease = await state.leases.acquire(`${ROLLOUT}/${model}`, member, LEASE_MS);
    if (lease === undefined) return undefined;
    try {
      return { result: await work(lease) };
    } finally {
      await lease.release().catch(() => {});
    }
  }

  /** For a change that an operator waits for. */
  function change<Result>(model: string, work: (lease: Lease) => Promise<Result>): Promise<Result> {
    return serially(async () => {
      const until = performance.now() + LONGEST_WAIT_MS;
      for (;;) {
        const done = await underLease(model, work);
        if (done !== undefined) return done.result;
        if (performance.now() > until) {
          const text = `Another member has been changing the rollout of ${model} for ${LONGEST_WAIT_MS} ms.`;
          throw new SkeinError('ROLLOUT_IN_PROGRESS', text);
        }
        await sleep(50);
      }
    });
  }

  const storedOf = (
    records: readonly DeclarationRecord[],
    name: string,
  ): LanguageRolloutRecord | undefined => rolloutsOf(records).find(({ model }) => model === name);

  /** The windows of all members: this one's now, the others' as they have written them. */
  function windowsNow(
    records: readonly DeclarationRecord[],
    stored: LanguageRolloutRecord,
  ): Map<string, RouteWindow> {
    const windows = windowsOf(records, stored);
    const own = traffic()?.of(stored.model);
    if (own?.id === stored.id) windows.set(member, own.window());
    return windows;
  }

  async function removeWindows(
    records: readonly DeclarationRecord[],
    model: string,
  ): Promise<void> {
    for (const { kind, name } of records) {
      if (kind === WINDOW && name.startsWith(`${model} `))
        await state.removeDeclaration(kind, name);
    }
  }

  /** Takes the step that an event asks for, under the lease. @returns what is stored then. */
  async function step(
    stored: LanguageRolloutRecord,
    event: RolloutEvent,
    records: readonly DeclarationRecord[],
    lease: Lease,
    actor: string,
  ): Promise<LanguageRolloutRecord> {
    const policy = policyOf(stored);
    const next = advance(policy, event, Date.now());
    if (next === policy || next.phase === 'warming') return stored;
    const { phase, step: at, stepStartedAt, reason } = next;
    const taken: LanguageRolloutRecord = { ...stored, phase, step: at, stepStartedAt, reason };
    const isEnd = !isRunning(taken);
    const seen = isEnd ? { seen: seenOf(stored, windowsNow(records, stored)) } : {};
    // One that was paused for longer than its lease must not undo what came after it.
    if (!(await lease.renew())) return stored;
    if (phase === 'finished' && stored.plan.strategy === 'canary') {
      const model = await modelOf(stored.model);
      if (model !== undefined) await putModel(promoted(model, stored));
    }
    await put(ROLLOUT, stored.model, { ...taken, ...seen });
    if (isEnd) await removeWindows(records, stored.model);
    await note(taken, actor);
    return { ...taken, ...seen };
  }

  async function note(
    { model, phase, reason }: LanguageRolloutRecord,
    actor: string,
  ): Promise<void> {
    const entry = {
      actor,
      action: `rollout ${phase}`,
      subject: model,
      outcome: reason,
      remote: '',
    };
    await state.addAudit(entry).catch((error: unknown) => {
      logger.error({ err: error }, 'A step of a rollout could not be written down.');
    });
  }

  /** Lets the other members know what this one has seen. */
  async function report({ id, model }: LanguageRolloutRecord): Promise<void> {
    const own = traffic()?.of(model);
    if (own?.id !== id) return;
    const { candidate, stable } = own.totals();
    if (candidate.requests + stable.requests === 0) return;
    await put(WINDOW, `${model} ${member}`, { rollout: id, window: own.window() });
  }

  /** Takes the next step where it is due. */
  async function look(stored: LanguageRolloutRecord): Promise<void> {
    const { id, model } = stored;
    await report(stored);
    await underLease(model, async (lease) => {
      const records = await state.declarations();
      const current = storedOf(records, model);
      if (current?.id !== id || !isRunning(current)) return;
      const windows = windowsNow(records, current);
      await step(current, { kind: 'observed', windows }, records, lease, NODE);
    });
  }

  async function tick(): Promise<void> {
    try {
      for (const stored of running) await serially(() => look(stored));
      await refresh();
    } catch (error) {
      // While the store is away, the new route keeps its share.
      logger.warn({ err: error }, 'A step of a rollout of a language model could not be taken.');
    }
    timer = undefined;
    schedule();
  }

  function schedule(): void {
    if (isClosed || timer !== undefined || running.length === 0) return;
    const shortest = Math.min(...running.map(({ plan }) => plan.stepMs));
    const everyMs = Math.max(50, Math.min(1000, shortest / 4));
    timer = setTimeout(() => void tick(), everyMs).unref();
  }

  return {
    async start(name, { route, replaces, plan }, actor) {
      const stored = await change(name, async () => {
        const model = await modelOf(name);
        if (model === undefined) throw unknown(name);
        const records = await state.declarations();
        const before = storedOf(records, name);
        if (before !== undefined && isRunning(before)) throw inProgress(before);
        const old = replaces ?? model.routes[0]!;
        checkRoutes(model, old, route);
        await requireProviders([route.provider]);
        const policy = beginRollout(plan, [], routeText(route), 0.99, Date.now());
        const {
          phase,
          step: at,
          stepStartedAt,
          reason,
        } = advance(policy, { kind: 'warmed' }, Date.now());
        if (phase === 'warming') throw new TypeError('A warm rollout has left this phase.');
        const begun: LanguageRolloutRecord = {
          id: randomUUID(),
          model: name,
          candidate: route,
          replaces: { provider: old.provider, model: old.model },
          before: model.routes,
          plan: { ...plan, steps: policy.plan.steps },
          phase,
          step: at,
          stepStartedAt,
          startedAt: new Date().toISOString(),
          reason,
        };
        await removeWindows(records, name);
        await put(ROLLOUT, name, begun);
        await note(begun, actor);
        return begun;
      });
      await refresh();
      return viewOf(stored, seenOf(stored, new Map()));
    },

    async rollBack(name, reason, actor) {
      const stored = await change(name, async (lease) => {
        const model = await modelOf(name);
        if (model === undefined) throw unknown(name);
        const records = await state.declarations();
        const current = storedOf(records, name);
        if (current !== undefined && isRunning(current)) {
          const event = { kind: 'failed', reason } as const;
          const taken = await step(current, event, records, lease, actor);
          if (!isRunning(taken)) return taken;
          throw inProgress(current);
        }
        if (current?.phase !== 'finished' || current.plan.strategy !== 'canary') {
          const text = `The language model ${name} has not been rolled out.`;
          throw new SkeinError('NOTHING_TO_ROLL_BACK', text);
        }
        await putModel({ ...model, routes: current.before });
        const back: LanguageRolloutRecord = { ...current, phase: 'rolled-back', reason };
        await put(ROLLOUT, name, back);
        await note(back, actor);
        return back;
      });
      await refresh();
      return viewOf(stored, stored.seen ?? seenOf(stored, new Map()));
    },

    follow(records) {
      running = rolloutsOf(records).filter(isRunning);
      traffic()?.follow(running.map(followable));
      schedule();
    },

    async views() {
      const records = await state.declarations();
      return rolloutsOf(records).map((stored) =>
        viewOf(stored, stored.seen ?? seenOf(stored, windowsNow(records, stored))),
      );
    },

    async close() {
      isClosed = true;
      clearTimeout(timer);
      await last;
      const unread = (error: unknown): void =>
        logger.warn({ err: error }, 'What was seen of a rollout could not be written down.');
      await Promise.all(running.map((stored) => report(stored).catch(unread)));
    },
  };
}

/** @throws SkeinError PROVIDER_INVALID. */
function checkRoutes({ name, routes }: LanguageModel, old: RouteName, next: RouteName): void {
  if (!routes.some((route) => isRoute(route, old))) {
    throw new SkeinError('PROVIDER_INVALID', `The model ${name} has no route ${routeText(old)}.`);
  }
  if (routes.some((route) => isRoute(route, next))) {
    const text = `The model ${name} has the route ${routeText(next)} already.`;
    throw new SkeinError('PROVIDER_INVALID', text);
  }
}

const unknown = (name: string): SkeinError =>
  new SkeinError('MODEL_UNKNOWN', `No language model "${name.slice(0, 200)}" is declared.`);

function inProgress({ model, candidate }: LanguageRolloutRecord): SkeinError {
  const text = `The language model ${model} is being rolled out to ${routeText(candidate)}.`;
  return new SkeinError('ROLLOUT_IN_PROGRESS', text);
}
