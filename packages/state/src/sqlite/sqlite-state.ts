/**
 * The embedded backend of `State`: one SQLite file.
 *
 * It has its own thread. A commit that must survive a power cut waits for the disk, and so does a
 * checkpoint of the write-ahead log: 3 to 100 ms on an ordinary disk, during which the node's own
 * thread would answer no request. A call costs a message in each direction, some 30 µs.
 *
 * In memory there is no disk to wait for, and so no thread.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { workerEnvironment } from '../worker-environment.ts';
import type { State } from '../contract.ts';
import { openLocalState } from './local-state.ts';
import { errorOf, type Call, type Method, type Reply } from './state-messages.ts';

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
} satisfies Record<Method, true>) as Method[];

/**
 * @param path a file, created if it is missing, or ':memory:'.
 * @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE.
 */
export async function openSqliteState(path: string): Promise<State> {
  if (path === ':memory:') return openLocalState(path);
  const worker = new Worker(WORKER_ENTRY, {
    name: 'skein-state',
    workerData: { path },
    execArgv: [],
    env: workerEnvironment(),
  });
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  let calls = 0;
  let closed: Promise<void> | undefined;

  /** Without calls in flight, the thread does not keep the process alive. */
  function expect(id: number): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    pending.set(id, answer);
    worker.ref();
    return answer.promise;
  }
  worker.on('message', (reply: Reply) => {
    const answer = pending.get(reply.id);
    pending.delete(reply.id);
    if (pending.size === 0) worker.unref();
    if ('failure' in reply) answer?.reject(errorOf(reply.failure));
    else answer?.resolve(reply.value);
  });
  const end = (error: Error) => {
    for (const answer of pending.values()) answer.reject(error);
    pending.clear();
  };
  worker.on('error', end);
  worker.on('exit', () => end(new Error('The database thread has ended.')));

  function call(method: Method, args: readonly unknown[]): Promise<unknown> {
    if (closed !== undefined) return Promise.reject(new Error('The state has been closed.'));
    calls += 1;
    const message: Call = { id: calls, method, args };
    const answer = expect(calls);
    worker.postMessage(message, []);
    return answer;
  }
  async function close(): Promise<void> {
    const exited = once(worker, 'exit');
    await call('close', []);
    worker.ref();
    await exited;
  }

  const state = Object.fromEntries(
    METHODS.map((method) => [method, (...args: readonly unknown[]) => call(method, args)]),
  ) as unknown as State;
  await expect(0);
  return { ...state, close: () => (closed ??= close()) };
}
