/**
 * The embedded backend of `State`: one SQLite file.
 *
 * It has its own thread. A commit that must survive a power cut waits for the disk, and so does a
 * checkpoint of the write-ahead log: 3 to 100 ms on an ordinary disk, during which the node's own
 * thread would answer no request. A call costs a message in each direction, some 30 µs.
 *
 * In memory there is no disk to wait for, and so no thread.
 */
import { SkeinError } from '@skein/api/errors';
import { startThread } from '@skein/calls';
import type { State } from '../contract.ts';
import { openLocalState } from './local-state.ts';
import type { StateCalls } from './state-worker.ts';

const WORKER_ENTRY = new URL('./state-worker.ts', import.meta.url);

/** Every method of the contract; a missing one does not compile. */
const METHODS = Object.keys({
  addVersion: true,
  versions: true,
  version: true,
  removeVersion: true,
  deployments: true,
  deployment: true,
  putDeployment: true,
  deploymentRevisions: true,
  removeDeployment: true,
  addHistory: true,
  history: true,
  historyAfter: true,
  putRun: true,
  runs: true,
  run: true,
  removeRun: true,
  addKey: true,
  keys: true,
  revokeKey: true,
  addAudit: true,
  audit: true,
  close: true,
} satisfies Record<keyof State, true>) as (keyof State)[];

/**
 * @param path a file, created if it is missing, or ':memory:'.
 * @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE.
 */
export async function openSqliteState(path: string): Promise<State> {
  if (path === ':memory:') return openLocalState(path);
  const options = { name: 'skein-state', errors: [SkeinError] };
  const thread = startThread<StateCalls>(WORKER_ENTRY, options);
  let closed: Promise<void> | undefined;
  async function call(method: keyof State, args: readonly unknown[]): Promise<unknown> {
    if (closed !== undefined) throw new Error('The state has been closed.');
    return thread.call('run', { method, args });
  }
  async function close(): Promise<void> {
    await call('close', []);
    await thread.stop();
  }
  const state = Object.fromEntries(
    METHODS.map((method) => [method, (...args: readonly unknown[]) => call(method, args)]),
  ) as unknown as State;
  try {
    await thread.call('open', path);
  } catch (error) {
    await thread.stop();
    throw error;
  }
  return { ...state, close: () => (closed ??= close()) };
}
