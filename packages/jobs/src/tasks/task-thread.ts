/**
 * The thread of a task, as its supervisor holds it: it may block, loop or run out of memory, and
 * can be ended at any time.
 */
import type { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { workerEnvironment } from '@skein/state/worker-environment';
import {
  toWireFailure,
  type FromThread,
  type TaskAnswer,
  type TaskEnd,
  type TaskRequest,
  type TaskThreadData,
  type ToThread,
} from './messages.ts';

export interface TaskThread {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the thread has exited. */
  readonly ended: Promise<ThreadEnding>;
  /** User plus system time so far, in milliseconds. */
  cpuMs(): Promise<number>;
  /** Asks the task to stop. */
  readonly stop: () => void;
  readonly kill: () => void;
}

export interface ThreadEnding {
  /** Its last message; undefined when the thread ended before it sent one. */
  readonly said: TaskEnd | undefined;
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  /** The error that ended the thread. */
  readonly crash: string | undefined;
}

export interface TaskThreadOptions {
  readonly data: TaskThreadData;
  readonly heapMib: number;
  readonly onProgress: (progress: { readonly fraction: number; readonly message: string }) => void;
  /** @throws the error that the task receives. */
  readonly onRequest: (request: TaskRequest) => Promise<TaskAnswer>;
}

const ENTRY = new URL('./task-worker.ts', import.meta.url);

export function startTaskThread(options: TaskThreadOptions): TaskThread {
  const { data, heapMib, onProgress, onRequest } = options;
  const thread = new Worker(ENTRY, {
    name: `task ${data.task}`,
    workerData: data,
    execArgv: [],
    env: workerEnvironment(),
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: heapMib },
    // Otherwise Node, at the end of the thread, closes every descriptor number that `fs.open` gave
    // out in it, although a socket may own the number (a sandbox opens its guests' pipes this way),
    // may have closed it long ago, and another thread may use it now. A task that is killed between
    // open and close leaks the descriptor instead.
    trackUnmanagedFds: false,
  });
  const send = (message: ToThread): void => thread.postMessage(message, []);
  let said: TaskEnd | undefined;
  let outOfMemory = false;
  let crash: string | undefined;

  async function answer(id: number, request: TaskRequest): Promise<void> {
    try {
      send({ kind: 'answer', id, value: await onRequest(request) });
    } catch (error) {
      send({ kind: 'refusal', id, failure: toWireFailure(error) });
    }
  }

  thread.on('message', (message: FromThread) => {
    if (message.kind === 'progress') onProgress(message);
    else if (message.kind === 'request') void answer(message.id, message.request);
    else said = message;
  });
  thread.on('error', (error: unknown) => {
    outOfMemory = (error as { code?: string } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
    crash = error instanceof Error ? error.message : String(error);
  });

  return {
    stdout: thread.stdout,
    stderr: thread.stderr,
    ended: new Promise((resolve) => {
      thread.once('exit', (exitCode) => resolve({ said, exitCode, outOfMemory, crash }));
    }),
    async cpuMs() {
      const { user, system } = await thread.cpuUsage();
      return (user + system) / 1000;
    },
    stop: () => send({ kind: 'stop' }),
    kill: () => void thread.terminate(),
  };
}
