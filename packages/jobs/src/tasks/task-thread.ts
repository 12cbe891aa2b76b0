/** The thread of a task as its supervisor holds it: it may block, loop or run out of memory, and can be ended at any time. */
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
  /** Resolves when the thread is gone. */
  readonly ended: Promise<ThreadEnding>;
  /** User plus system time so far, in milliseconds. */
  cpuMs(): Promise<number>;
  /** Asks the task to stop. */
  readonly stop: () => void;
  readonly kill: () => void;
}

export interface ThreadEnding {
  /** What it said last; undefined when it was ended, or ended itself, before that. */
  readonly said: TaskEnd | undefined;
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  /** What brought the thread down. */
  readonly crash: string | undefined;
}

export interface TaskThreadOptions {
  readonly data: TaskThreadData;
  readonly heapMib: number;
  readonly onProgress: (progress: { readonly fraction: number; readonly message: string }) => void;
  /** @throws what the task is to see. */
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
    // Else Node closes, when the thread ends, every number that `fs.open` gave out in it, although a
    // socket may own it (a sandbox opens its guests' pipes so), have closed it long since, and the
    // number be another thread's by now. A task that is killed between open and close leaks instead.
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
