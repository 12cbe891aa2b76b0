/** Opens a coordinator over a store: its runs resume where they were. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SkeinError } from '@skein/api/errors';
import { isOver } from '@skein/api/federations';
import { createSweeper } from '@skein/state';
import { hashOfSecret, invitationText } from '../identity/invitation.ts';
import { pseudonymOf } from '../identity/keys.ts';
import { randomHex } from '@skein/api/signing-key';
import { type LedgerEvent, nextEntry } from '../ledger/entry.ts';
import { exportLedger } from '../ledger/export.ts';
import { canonical, digestOf } from '@skein/api/canonical';
import { assertEncoding } from '@skein/train/federated';
import { completePlan } from '../plan/complete.ts';
import { encodingOf } from '../plan/encoding.ts';
import { aggregationIn } from '../plan/kinds/choices.ts';
import { helpersOf, requireSealingKeys } from '../plan/helpers.ts';
import type { Plan } from '../plan/plan.ts';
import type { RunRecord, RunState } from '../store/federation-store.ts';
import { requireLiving, requirePart } from './rounds/attempt.ts';
import { Conductor } from './rounds/conductor.ts';
import type { Coordinator, CoordinatorOptions, FederationView } from './coordinator.ts';
import { namedArtifacts, namedBy } from './storage/named-artifacts.ts';
import { openNotebook } from './rounds/notebook.ts';
import { overFor, readWatched, watched, writeWatched } from './storage/retention.ts';
import { createSessions } from './sessions/sessions.ts';
import { spentAfter } from '../plan/spent.ts';
import { countsIn } from '../statistics/layout.ts';
import { countedRoundOf, statisticsOf } from '../statistics/released.ts';
import { firstState, writeState } from './rounds/server-state.ts';
import { fileChunks, putArtifact, readArtifact } from './storage/uploads.ts';
import { STATUS_MS } from '../transport/silence.ts';
import { serveWebSockets } from './sessions/web-sockets.ts';

const DAY_MS = 86_400_000;
const INVITATION_MS = 7 * DAY_MS;
/** Six months: what the EU's AI Act asks of logs (Regulation 2024/1689, article 19). */
const RETENTION_MS = 183 * DAY_MS;
/** Least time between two views, in milliseconds: one names every site, and each of them changes it. */
const VIEW_MS = 100;
/** How often the coordinator searches for runs to remove, and how many it removes each time. */
export const LOOK_EVERY_MS = 3_600_000;
const MOST_REMOVED = 100;

/** @throws SkeinError STORE_UNREACHABLE and others of the store. */
export async function openCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const { store, artifacts, identity, folder, clock = Date.now, onFault = () => {} } = options;
  const { statusMs = STATUS_MS, keptMs = RETENTION_MS } = options;
  const conductors = new Map<string, Promise<Conductor>>();
  const sweeper = createSweeper(artifacts, () => namedArtifacts(store));
  const watchers = new Set<() => void>();
  const onChange = (): void => {
    for (const wake of watchers) wake();
  };

  const forgetUploads = (run: string): Promise<void> =>
    rm(join(folder, run), { recursive: true, force: true });

  function conductorOf(run: string): Promise<Conductor> {
    const known = conductors.get(run);
    if (known !== undefined) return known;
    const made = openNotebook(store, identity, clock, run).then(
      (notebook) =>
        new Conductor(notebook, {
          store,
          artifacts,
          identity,
          sweeper,
          forgetUploads,
          folder: join(folder, run),
          onFault,
          onChange,
        }),
    );
    conductors.set(run, made);
    made.catch(() => conductors.delete(run));
    return made;
  }

  /** A change by the operator. @throws SkeinError FEDERATION_UNKNOWN, FEDERATION_ENDED. */
  async function living(run: string): Promise<Conductor> {
    const conductor = await conductorOf(run);
    requireLiving(conductor.record);
    return conductor;
  }

  async function viewOf(record: RunRecord): Promise<FederationView> {
    const { id, plan, planDigest, createdAt, updatedAt, state } = record;
    const conductor = await conductors.get(id);
    const members = await Promise.all(
      (await store.members(id)).map(async ({ key, name, role, revokedAt, accepted }) => ({
        key,
        name,
        role,
        revokedAt,
        pseudonym: await pseudonymOf(key),
        accepted: accepted !== undefined,
        waiting: conductor?.places.isWaiting(key) ?? false,
        connected: conductor?.isConnected(key) ?? false,
        answered: conductor?.hasAnswered(key) ?? false,
      })),
    );
    const { status, reason, round, attempt, phase, parameters } = state;
    const spent = spentAfter(plan, state.releases);
    return {
      id,
      plan,
      planDigest,
      createdAt,
      updatedAt,
      status,
      reason,
      round,
      attempt,
      phase,
      parameters,
      members,
      spent,
    };
  }

  const webSockets = serveWebSockets(connect);
  const sessions = createSessions({
    store,
    artifacts,
    sweeper,
    identity,
    conductorOf,
    chunksOf: (conductor, key) =>
      fileChunks(join(folder, conductor.record.id, key), artifacts, () => {
        requirePart(conductor.record, key);
        return mostBytes(conductor.record);
      }),
    statusMs,
    onFault,
  });
  function connect(connection: Parameters<Coordinator['connect']>[0]): void {
    sessions.serve(connection);
  }

  const watchedIn = join(folder, 'watched.json');
  let isFirst = true;
  let removing: Promise<unknown> = Promise.resolve();
  function removeEnded(): Promise<number> {
    const removed = removing.then(removeOld);
    removing = removed.catch(() => {});
    return removed;
  }
  async function removeOld(): Promise<number> {
    const over = (await store.runs()).filter(({ state }) => isOver(state));
    if (over.length === 0) return 0;
    const ids = over.map(({ id }) => id);
    const look = watched(await readWatched(watchedIn), { now: clock(), over: ids, isFirst });
    isFirst = false;
    await writeWatched(watchedIn, look);
    const old = over.filter(({ id }) => overFor(look, id) >= keptMs).slice(-MOST_REMOVED);
    for (const record of old) {
      const { id } = record;
      await (await conductors.get(id))?.close();
      conductors.delete(id);
      const named = await namedBy(record, store);
      await store.removeRun(id);
      await forgetUploads(id);
      await sweeper.sweep(named);
    }
    return old.length;
  }

  await removeEnded();
  // Files of a killed process: payloads whose answers were not stored, and artifacts of a removed run.
  await sweeper.sweep(await artifacts.list());
  const removals = setInterval(() => void removeEnded().catch(onFault), LOOK_EVERY_MS);
  removals.unref();
  for (const { id, state } of await store.runs()) {
    if (!isOver(state)) await conductorOf(id);
  }

  return {
    key: identity.key,
    connect,
    upgrade: webSockets,
    disconnect: () => webSockets.close(),
    async start(draft) {
      const plan = completePlan(draft);
      await requireSealingKeys(plan);
      if (helpersOf(plan).some((helper) => helper.identity === identity.key)) {
        throw new SkeinError(
          'PLAN_INVALID',
          'The plan is refused: a helper has the key of this coordinator, which would know all masks it removes.',
        );
      }
      const first = firstState(plan, await readArtifact(artifacts, plan.model.digest));
      const { parameters } = first;
      if (parameters.length !== plan.model.parameters) {
        throw new SkeinError(
          'PLAN_INVALID',
          `The plan is refused: the model has ${parameters.length} trained numbers, not ${plan.model.parameters}.`,
        );
      }
      requireEncodable(plan, parameters.length);
      const planDigest = await digestOf(plan);
      const id = `f-${randomHex(8)}`;
      const { privacy, aggregation, sites, collusion, rounds } = plan;
      const entry = await nextEntry(identity, undefined, {
        run: id,
        at: new Date(clock()).toISOString(),
        event: {
          kind: 'started',
          plan: planDigest,
          model: plan.model.digest,
          terms: jsonOf({ privacy, aggregation, sites, collusion, rounds }),
        },
        witnesses: [],
      });
      const record = await sweeper.protect(async () => {
        // The end of another run may have removed it since it was read.
        await artifacts.sizeOf(plan.model.digest);
        const optimiser = await putArtifact(artifacts, writeState(first));
        const state: RunState = {
          status: 'running',
          round: 0,
          attempt: 0,
          phase: 'gather',
          roster: [],
          optimiser,
          releases: 0,
        };
        return store.createRun({ id, plan, planDigest, state }, entry);
      });
      await conductorOf(id);
      return viewOf(record);
    },
    async invite(run, { name, role = 'site', uses = 1, validMs = INVITATION_MS }) {
      await living(run);
      const [id, secret] = [randomHex(8), randomHex(32)];
      const secretHash = await hashOfSecret(secret);
      const expiresAt = clock() + validMs;
      await store.addInvitation({ id, run, secretHash, name, role, uses, expiresAt });
      return invitationText({ run, coordinator: identity.key, id, secret });
    },
    async revoke(run, key) {
      const conductor = await conductorOf(run);
      if (!(await store.revoke(run, key))) {
        throw new SkeinError(
          'IDENTITY_UNKNOWN',
          `There is no site with the key ${key.slice(0, 16)}….`,
        );
      }
      conductor.expel(key, new SkeinError('IDENTITY_REVOKED', 'The key was revoked.'));
      await conductor.note({ kind: 'revoked', site: await pseudonymOf(key) });
      const { plan, state } = conductor.record;
      const helper = helpersOf(plan).find(({ identity: its }) => its === key);
      if (helper === undefined || isOver(state)) return;
      // Every sum needs all helpers.
      await conductor.end('failed', `The helper ${helper.name} was revoked.`);
    },
    async list() {
      return Promise.all((await store.runs()).map(viewOf));
    },
    async view(run) {
      return viewOf((await conductorOf(run)).record);
    },
    async *watch(run, signal) {
      let changed = Promise.withResolvers<void>();
      const wake = (): void => changed.resolve();
      watchers.add(wake);
      signal.addEventListener('abort', wake);
      try {
        while (!signal.aborted) {
          changed = Promise.withResolvers();
          const view = await viewOf((await conductorOf(run)).record);
          yield view;
          if (isOver(view)) return;
          await Promise.all([changed.promise, pause(VIEW_MS, undefined, { signal })]);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        watchers.delete(wake);
        signal.removeEventListener('abort', wake);
      }
    },
    async pause(run, reason) {
      await (await living(run)).note({ kind: 'paused', reason }, { status: 'paused', reason });
    },
    async resume(run, reason) {
      const change = { status: 'running', reason: undefined } as const;
      await (await living(run)).note({ kind: 'resumed', reason }, change);
    },
    async stop(run, reason) {
      await (await living(run)).end('stopped', reason);
    },
    ledger: async (run) => exportLedger(store, identity, (await conductorOf(run)).record),
    async statistics(run) {
      const { record } = await conductorOf(run);
      const { plan, planDigest, state } = record;
      if (countsIn(plan) === undefined) throw uncounted(run, 'it trains a model');
      const { entries } = await exportLedger(store, identity, record);
      const round = countedRoundOf(entries);
      if (round === undefined) {
        const { status, reason = '' } = state;
        throw uncounted(run, isOver(state) ? `it is ${status}. ${reason}` : 'no sum is complete');
      }
      return statisticsOf(plan, planDigest, round, await readArtifact(artifacts, round.digest));
    },
    removeEnded,
    async close() {
      clearInterval(removals);
      webSockets.close();
      await removing;
      await Promise.all([...conductors.values()].map(async (each) => (await each).close()));
      await sessions.close();
    },
  };
}

const uncounted = (run: string, why: string): SkeinError =>
  new SkeinError('STATISTICS_MISSING', `The federation ${run} has no counts: ${why}`);

/** Without the fields that are undefined. */
function jsonOf(value: unknown): Extract<LedgerEvent, { kind: 'started' }>['terms'] {
  return JSON.parse(canonical(value)) as ReturnType<typeof jsonOf>;
}

/** Bytes of a payload that a site may send: its update with masks, or its shares for all others. */
function mostBytes({ plan }: RunRecord): number {
  return 2 ** 20 + 16 * plan.model.parameters + 1024 * plan.sites.maximum;
}

/** @throws SkeinError PLAN_INVALID when the noise or the sum does not fit into the numbers of an update. */
function requireEncodable(plan: Plan, length: number): void {
  if (aggregationIn(plan).encoding === undefined) return;
  try {
    assertEncoding(encodingOf(plan, length));
  } catch (error) {
    throw new SkeinError('PLAN_INVALID', `The plan is refused: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
