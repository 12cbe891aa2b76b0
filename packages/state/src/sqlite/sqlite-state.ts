/**
 * The embedded backend of `State`: one SQLite file.
 *
 * It has its own thread. A commit that must survive a power cut waits for the disk, and so does a
 * checkpoint of the write-ahead log: 3 to 100 ms on an ordinary disk, during which the node's own
 * thread would answer no request. A call costs a message in each direction, some 30 µs.
 *
 * In memory there is no disk to wait for, and so no thread. A clock of a test does not cross to a
 * thread either.
 */
import { SkeinError } from '@skein/api/errors';
import { startThread } from '@skein/calls';
import { createArrivals } from '../changes/arrivals.ts';
import type { Records, State } from '../contract.ts';
import { RECORD_METHODS } from '../record-methods.ts';
import { stateOver, type StateStore } from '../store.ts';
import { openLocalState } from './local-state.ts';
import type { StateCalls } from './state-worker.ts';

const WORKER_ENTRY = new URL('./state-worker.ts', import.meta.url);

/** How long a reader of the change feed waits before it reads anyway: another process may have written. */
const LOOK_MS = 500;

/** The other methods of the store, and whether they add to the change feed. */
const OTHER_METHODS = {
  position: 'quiet',
  changesAfter: 'quiet',
  joinMember: 'announces',
  renewMember: 'announces',
  leaveMember: 'announces',
  listMembers: 'quiet',
  schema: 'quiet',
  finalise: 'announces',
  acquireLease: 'quiet',
  renewLease: 'quiet',
  releaseLease: 'quiet',
  leaseHolder: 'quiet',
  shareClaims: 'quiet',
  claimShare: 'quiet',
  takeBudget: 'quiet',
  giveBackBudget: 'quiet',
  takenBudget: 'quiet',
  putResponse: 'quiet',
  responseChain: 'quiet',
  removeResponse: 'quiet',
  removeResponses: 'quiet',
  secret: 'quiet',
  close: 'quiet',
} as const satisfies Record<Exclude<keyof StateStore, keyof Records>, 'announces' | 'quiet'>;
const METHODS = { ...RECORD_METHODS, ...OTHER_METHODS };

export interface SqliteStateOptions {
  /** For tests: ms since the epoch. */
  readonly clock?: (() => number) | undefined;
}

/**
 * @param path a file, created if it is missing, or ':memory:'.
 * @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE.
 */
export async function openSqliteState(
  path: string,
  { clock }: SqliteStateOptions = {},
): Promise<State> {
  const store =
    path === ':memory:' || clock !== undefined
      ? openLocalState(path, clock)
      : await openInThread(path);
  const arrivals = createArrivals(LOOK_MS);
  const waking = Object.entries(METHODS).map(([name, effect]) => {
    const method = store[name as keyof StateStore] as (...args: unknown[]) => Promise<unknown>;
    if (effect === 'quiet' || effect === 'read') return [name, method];
    return [name, (...args: unknown[]) => method(...args).finally(() => arrivals.wake())];
  });
  const close = (): Promise<void> => {
    const closed = store.close();
    // Readers of the feed would otherwise wait for changes of a store that is closed.
    arrivals.wake();
    return closed;
  };
  return stateOver({ ...(Object.fromEntries(waking) as StateStore), close }, arrivals);
}

/** A state that is closed in this process stays closed. */
const WITHOUT_RETRY = { retryAfterMs: Infinity };

async function openInThread(path: string): Promise<StateStore> {
  const options = { name: 'skein-state', errors: [SkeinError] };
  const thread = startThread<StateCalls>(WORKER_ENTRY, options);
  let closed: Promise<void> | undefined;
  async function call(method: keyof StateStore, args: readonly unknown[]): Promise<unknown> {
    if (closed !== undefined) {
      throw new SkeinError('NODE_DRAINING', 'The state has been closed.', WITHOUT_RETRY);
    }
    return thread.call('run', { method, args });
  }
  async function close(): Promise<void> {
    await call('close', []);
    await thread.stop();
  }
  const store = Object.fromEntries(
    (Object.keys(METHODS) as (keyof StateStore)[]).map((method) => [
      method,
      (...args: readonly unknown[]) => call(method, args),
    ]),
  ) as unknown as StateStore;
  try {
    await thread.call('open', path);
  } catch (error) {
    await thread.stop();
    throw error;
  }
  return { ...store, close: () => (closed ??= close()) };
}
