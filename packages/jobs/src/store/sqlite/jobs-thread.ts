/** The node's side of the store's thread: calls of one turn of the event loop are sent together. */
import { SkeinError } from '@skein/api/errors';
import { fromWire, startThread } from '@skein/calls';
import { hasBytes, pack, unpack } from './batch.ts';
import type { JobsCalls } from './jobs-worker.ts';
import type { Arguments, Call, Method, Returned } from './local-jobs.ts';
import type { Notifications } from './transaction.ts';

const WORKER_ENTRY = new URL('./jobs-worker.ts', import.meta.url);
const ERRORS = [SkeinError];

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
  const thread = startThread<JobsCalls>(WORKER_ENTRY, { name: 'skein-jobs', errors: ERRORS });
  type Waiting = PromiseWithResolvers<unknown>;
  let calls: Call[] = [];
  let waiting: Waiting[] = [];
  let closed: Promise<void> | undefined;

  async function flush(): Promise<void> {
    if (calls.length === 0) return;
    const [sent, asked] = [calls, waiting];
    calls = [];
    waiting = [];
    try {
      const { answers, notifications } = await thread.call('run', pack(sent, hasBytes(sent)));
      onNotifications(notifications);
      for (const [index, answer] of unpack(answers).entries()) {
        if ('failure' in answer) asked[index]?.reject(fromWire(answer.failure, ERRORS));
        else asked[index]?.resolve(answer.value);
      }
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
  function call<M extends Method>(method: M, ...args: Arguments<M>): Promise<Returned<M>> {
    if (closed) {
      const message = 'The store of jobs has been closed.';
      return Promise.reject(new SkeinError('NODE_DRAINING', message, { retryAfterMs: Infinity }));
    }
    const answer = Promise.withResolvers<unknown>();
    if (calls.length === 0) queueMicrotask(() => setImmediate(() => void flush()));
    calls.push({ method, args, now: clock?.() });
    waiting.push(answer);
    return answer.promise as Promise<Returned<M>>;
  }
  async function close(): Promise<void> {
    void flush();
    await thread.call('close', undefined);
    await thread.stop();
  }

  try {
    await thread.call('open', path);
  } catch (error) {
    await thread.stop();
    throw error;
  }
  return { call, close: () => (closed ??= close()) };
}
