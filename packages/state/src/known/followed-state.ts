/**
 * The state of a fleet as one node follows it, with a copy of what it needs to serve.
 *
 *   current ──store does not answer──▶ away      serves from its copy, refuses changes
 *      ▲ ▲────────answers again──────────┘
 *      └──adopted, or right again── frozen        the store contradicts this node's copy
 *
 * It reads everything, then follows the change feed, and reads everything again every 30 s and
 * whenever the feed cannot give the changes. The copy is kept in a file, so that a node that
 * starts while the store is away serves from it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SkeinError } from '@skein/api/errors';
import { cursorOf, type StateChange } from '../changes/changes.ts';
import type { State } from '../contract.ts';
import { guardedState } from './guarded-state.ts';
import { keptKnown } from './known-file.ts';
import {
  contradiction,
  difference,
  type Difference,
  type KnownState,
  lostRevocations,
  withDeployment,
  withKeys,
  withoutDeployment,
} from './known-state.ts';
import { stateWithCopy } from './state-with-copy.ts';
import { readAll, versionCache, withVersions } from './read-known.ts';

export type Standing =
  | { readonly state: 'current' }
  | {
      readonly state: 'away' | 'frozen';
      /** Milliseconds since 1970. */
      readonly since: number;
      readonly reason: string;
    };

/** The parts of the state that may be different now. */
export interface StateChanges extends Difference {
  readonly history: boolean;
  readonly members: boolean;
  /** The store can be changed again. */
  readonly current: boolean;
}

export interface FollowedState {
  /** Whether this node has followed the fleet before: its folder holds what it served then. */
  readonly isRestart: boolean;
  /** The shared state. Calls fail at once with STORE_UNREACHABLE or STORE_REPLACED where they cannot be made. */
  readonly state: State;
  readonly known: () => KnownState;
  readonly standing: () => Standing;
  /** @throws SkeinError STORE_UNREACHABLE, STORE_REPLACED when nothing can be changed now. */
  mayChange(): void;
  /**
   * Position in the change feed that this node has reached: contents from before it are refused.
   * @throws SkeinError STORE_REPLACED while the store contradicts this node's copy.
   */
  cursor(): string;
  /** @returns ends the subscription. */
  readonly subscribe: (listener: (changes: StateChanges) => void) => () => void;
  /** Takes the store as it is, although it contradicts this node's copy. Keys that were revoked stay so. */
  adopt(): Promise<void>;
}

export interface FollowOptions {
  /** @throws SkeinError STORE_UNREACHABLE; it is then called again. */
  readonly open: () => Promise<State>;
  /** Keeps the copy. Absent: a restart begins without one. */
  readonly file?: string | undefined;
  readonly log: (level: 'info' | 'warn' | 'error', message: string, details: object) => void;
  /** Milliseconds between two complete readings. Default: 30 s. */
  readonly compareMs?: number | undefined;
}

const COMPARE_MS = 30_000;
/** How often the store is asked whether it answers, and how long it may take. */
const PING_MS = 1000;
const SILENCE_MS = 1500;
const RETRY_MS = 250;
/** How often a store that contradicts is read again: the operator may have brought the right one back. */
const FROZEN_MS = 5000;
const AWAY = 'The store of the fleet does not answer; this node serves from its copy.';
const UNSAVED = "This node's copy of the fleet's state could not be written to its folder.";
const FROZEN =
  "The store contradicts this node's copy. The node serves as before, and takes nothing from the store until the operator adopts it.";

/** @throws SkeinError STORE_UNREACHABLE when nothing is known from before, and what else `open` throws. */
export async function followState(options: FollowOptions): Promise<FollowedState> {
  const { file, log, compareMs = COMPARE_MS } = options;
  const ending = new AbortController();
  const listeners = new Set<(changes: StateChanges) => void>();
  let store: State | undefined;
  let opening: Promise<State> | undefined;
  const kept = keptKnown(file, (err) => log('error', UNSAVED, { err }));
  let known = await kept.read();
  const isRestart = known !== undefined;
  let standing: Standing = { state: 'current' };
  let reached = known && cursorOf({ epoch: known.epoch, entry: '0-0' });
  let versionOf = versionCache(async (...names) => store?.version(...names));
  /** Writes of this node that were acknowledged. */
  let writes = 0;
  let adopting = false;
  let round = new AbortController();

  function become(next: Standing): void {
    const { state } = standing;
    if (next.state === state) return;
    standing = next;
    if (next.state === 'current') {
      log('info', 'The store of the fleet answers again.', {});
      notify({ ...NO_CHANGES, current: true });
    } else if (next.state === 'away') log('warn', AWAY, { reason: next.reason });
    else log('error', FROZEN, { reason: next.reason });
  }

  function leave(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const isFrozen = error instanceof SkeinError && error.code === 'STORE_REPLACED';
    become({ state: isFrozen ? 'frozen' : 'away', since: Date.now(), reason });
  }

  function take(fresh: KnownState, more: Partial<StateChanges> = {}): void {
    const before = known;
    known = fresh;
    const changed =
      before === undefined ? { deployments: true, keys: true } : difference(before, fresh);
    kept.write(fresh, changed.deployments || changed.keys);
    notify({ ...NO_CHANGES, ...changed, ...more });
  }

  function notify(changes: StateChanges): void {
    if (!Object.values(changes).includes(true)) return;
    for (const listener of listeners) listener(changes);
  }

  const opened = (): Promise<State> =>
    (opening ??= options.open().then(
      (it) => (store = it),
      (error: unknown) => {
        opening = undefined;
        throw error;
      },
    ));

  /** Reads everything. @returns where the feed continues. @throws SkeinError STORE_UNREACHABLE, STORE_REPLACED. */
  async function compare(): Promise<string> {
    const from = await opened();
    for (let suspected: string | undefined; ;) {
      const before = writes;
      const { fresh, cursor } = await readAll(from, versionOf);
      if (writes !== before) continue;
      if (adopting && known !== undefined) {
        const lost = lostRevocations(known, fresh);
        await Promise.all(lost.map(({ id, revokedAt }) => from.revokeKey(id, revokedAt)));
        if (lost.length > 0) continue;
      }
      const why = known === undefined || adopting ? undefined : contradiction(known, fresh);
      if (why === undefined) {
        adopting = false;
        reached = cursor;
        take(fresh);
        become({ state: 'current' });
        return cursor;
      }
      // The records are not read at one moment: two equal readings are trusted.
      if (why === suspected) throw new SkeinError('STORE_REPLACED', `${upper(why)}.`);
      suspected = why;
    }
  }

  /** Follows the feed until it is time to read everything. @throws SkeinError STORE_UNREACHABLE. */
  async function follow(from: State, cursor: string): Promise<void> {
    round = new AbortController();
    const due = setTimeout(() => round.abort(), compareMs);
    const signal = AbortSignal.any([ending.signal, round.signal]);
    let lost: unknown;
    const pinging = ping(from, signal).catch((error: unknown) => {
      lost = error;
      round.abort();
    });
    try {
      for await (const changes of from.changes(cursor, signal)) {
        if (!(await apply(from, changes))) break;
        reached = changes.at(-1)?.cursor ?? reached;
      }
    } catch (error) {
      if (!(error instanceof SkeinError) || !REREAD.has(error.code)) throw error;
    } finally {
      clearTimeout(due);
      round.abort();
      await pinging;
    }
    if (lost !== undefined) throw lost as Error;
  }

  async function ping(to: State, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(PING_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (!signal.aborted) await Promise.race([to.position(), silence(signal)]);
    }
  }

  /** A call has more patience with a store that restarts than a node should have. */
  async function silence(signal: AbortSignal): Promise<void> {
    await sleep(SILENCE_MS, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    throw new SkeinError('STORE_UNREACHABLE', `It has been silent for ${SILENCE_MS} ms.`);
  }

  /** @returns false when everything has to be read. */
  async function apply(from: State, changes: readonly StateChange[]): Promise<boolean> {
    const names = new Map<string, number>();
    const kinds = new Set(changes.map(({ kind }) => kind));
    for (const { kind, id, revision = 0 } of changes) {
      if (kind === 'deployment') names.set(id, Math.max(revision, names.get(id) ?? 0));
    }
    const before = writes;
    const rows = await Promise.all(
      [...names].map(async ([name, revision]) => {
        const row = await from.deployment(name);
        const found = row && (await withVersions(row, versionOf));
        return { name, revision, found };
      }),
    );
    const keys = kinds.has('key') ? await from.keys() : undefined;
    if (writes !== before) return apply(from, changes);
    let next = known!;
    for (const { name, revision, found } of rows) {
      next =
        found === undefined ? withoutDeployment(next, name, revision) : withDeployment(next, found);
    }
    if (keys !== undefined) next = withKeys(next, keys);
    if (next !== known && contradiction(known!, next) !== undefined) return false;
    take(next, { history: kinds.has('history'), members: kinds.has('member') });
    return true;
  }

  async function run(): Promise<void> {
    let cursor = first;
    while (!ending.signal.aborted) {
      const before = store;
      try {
        if (store !== undefined && cursor !== undefined) await follow(store, cursor);
        cursor = undefined;
        if (!ending.signal.aborted) cursor = await compare();
      } catch (error) {
        cursor = undefined;
        if (ending.signal.aborted) return;
        // An adoption has closed what this was read from.
        if (before !== undefined && store !== before) continue;
        leave(error);
        const waitMs = standing.state === 'frozen' ? FROZEN_MS : RETRY_MS;
        round = new AbortController();
        const signal = AbortSignal.any([ending.signal, round.signal]);
        await sleep(waitMs, undefined, { signal, ref: false }).catch(() => {});
      }
    }
  }

  function reachable(): State {
    if (store !== undefined && standing.state !== 'away') return store;
    const reason = standing.state === 'current' ? 'it was not opened' : standing.reason;
    const message = `The store of the fleet is away: ${reason}`;
    throw new SkeinError('STORE_UNREACHABLE', message, { retryAfterMs: PING_MS });
  }

  function assertNotFrozen(): void {
    if (standing.state === 'frozen') throw new SkeinError('STORE_REPLACED', standing.reason);
  }

  function writable(): State {
    assertNotFrozen();
    return reachable();
  }

  const state: State = {
    ...stateWithCopy(guardedState({ reachable, writable }), {
      known: () => known!,
      isCurrent: () => standing.state === 'current',
      versionOf: (...names) => versionOf(...names),
      noteWrite: () => (writes += 1),
      change(next) {
        if (known !== undefined) take(next(known));
      },
    }),
    async close() {
      ending.abort();
      const first = store;
      // Ends the calls in flight, which have more patience than a node that ends.
      await first?.close();
      await running;
      await kept.written();
      if (store !== first) await store?.close();
    },
  };

  let first: string | undefined;
  try {
    first = await compare();
  } catch (error) {
    const isPassing = error instanceof SkeinError && SERVES_ON.has(error.code);
    if (known === undefined || !isPassing) {
      await store?.close();
      throw error;
    }
    leave(error);
  }
  const running = run();

  return {
    isRestart,
    state,
    known: () => known!,
    standing: () => standing,
    mayChange: () => void writable(),
    cursor() {
      assertNotFrozen();
      return reached!;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async adopt() {
      if (standing.state !== 'frozen') return void reachable();
      adopting = true;
      versionOf = versionCache(async (...names) => store?.version(...names));
      // A connection may insist on the contents that it has seen first.
      const before = store;
      opening = undefined;
      await compare();
      round.abort();
      await before?.close();
    },
  };
}

const NO_CHANGES: StateChanges = {
  deployments: false,
  keys: false,
  history: false,
  members: false,
  current: false,
};

/** The feed cannot give the changes: everything is read and judged. */
const REREAD: ReadonlySet<string> = new Set(['CHANGES_TRIMMED', 'STORE_REPLACED']);
/** A node that has a copy of its fleet's state starts in spite of these. */
const SERVES_ON: ReadonlySet<string> = new Set(['STORE_UNREACHABLE', 'STORE_REPLACED']);

function upper(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
