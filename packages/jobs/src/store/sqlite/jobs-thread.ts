/** The node's side of the store's thread: calls of one turn of the event loop are sent together. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { workerEnvironment } from '@skein/state/worker-environment';
import {
  errorOf,
  hasBytes,
  pack,
  unpack,
  type Answer,
  type Batch,
  type BatchReply,
} from './jobs-messages.ts';
import type { Arguments, Call, Method, Returned } from './local-jobs.ts';
import type { Notifications } from './transaction.ts';

const WORKER_ENTRY = new URL('./jobs-worker.ts', import.meta.url);

export interface JobsThread {
  call<M extends Method>(method: M, ...args: Arguments<M>): Promise<Returned<M>>;
  close(): Promise<void>;
}

/**
 * @param clock of a test; absent: the system's.
 * @param onNotifications called with the notifications of each batch.
 */
export async function startJobsThread(
  path: string,
  clock: (() => number) | undefined,
  onNotifications: (notifications: Notifications) => void,
): Promise<JobsThread> {
  const worker = new Worker(WORKER_ENTRY, {
    name: 'skein-jobs',
    workerData: { path },
    execArgv: [],
    env: workerEnvironment(),
  });
  type Waiting = PromiseWithResolvers<unknown>;
  const pending = new Map<number, readonly Waiting[]>();
  let batches = 0;
  let calls: Call[] = [];
  let waiting: Waiting[] = [];
  let closed: Promise<void> | undefined;

  worker.on('message', ({ batch, answers, notifications }: BatchReply) => {
    const asked = pending.get(batch) ?? [];
    pending.delete(batch);
    // Without a pending call, the thread keeps no process alive.
    if (pending.size === 0) worker.unref();
    onNotifications(notifications);
    for (const [index, answer] of unpack(answers).entries()) settle(asked[index], answer);
  });
  const fail = (error: Error) => {
    for (const asked of pending.values()) for (const { reject } of asked) reject(error);
    pending.clear();
  };
  worker.on('error', fail);
  worker.on('exit', () => fail(new Error('The thread of the jobs has ended.')));

  function send(content: Batch['calls'], asked: readonly Waiting[]): void {
    batches += 1;
    pending.set(batches, asked);
    worker.ref();
    const message: Batch = { batch: batches, calls: content };
    worker.postMessage(message, []);
  }
  function flush(): void {
    if (calls.length === 0) return;
    send(pack(calls, hasBytes(calls)), waiting);
    calls = [];
    waiting = [];
  }

  function call<M extends Method>(method: M, ...args: Arguments<M>): Promise<Returned<M>> {
    if (closed) return Promise.reject(new Error('The store of jobs has been closed.'));
    const answer = Promise.withResolvers<unknown>();
    if (calls.length === 0) queueMicrotask(() => setImmediate(flush));
    calls.push({ method, args, now: clock?.() });
    waiting.push(answer);
    return answer.promise as Promise<Returned<M>>;
  }
  async function close(): Promise<void> {
    const exited = once(worker, 'exit');
    flush();
    const answer = Promise.withResolvers<unknown>();
    send('close', [answer]);
    await answer.promise;
    worker.ref();
    await exited;
  }

  const opened = Promise.withResolvers<unknown>();
  pending.set(0, [opened]);
  await opened.promise;
  return { call, close: () => (closed ??= close()) };
}

function settle(asked: PromiseWithResolvers<unknown> | undefined, answer: Answer): void {
  if ('failure' in answer) asked?.reject(errorOf(answer.failure));
  else asked?.resolve(answer.value);
}
