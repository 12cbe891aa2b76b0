/**
 * The thread of a task, as its supervisor holds it: it may block, loop or run out of memory, and
 * can be ended at any time.
 */
import type { Readable } from 'node:stream';
import { startThread, WorkerLost, withWorker } from '@skein/calls';
import type { SupervisorCalls, TaskEnd, TaskThreadData } from './messages.ts';
import type { TaskCalls } from './task-worker.ts';

export interface TaskThread {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the thread has exited: with how the task ended, or with why it did not. */
  readonly ended: Promise<TaskEnd | WorkerLost>;
  /** User plus system time so far, in milliseconds. */
  cpuMs(): Promise<number>;
  /** Asks the task to stop. */
  readonly stop: () => void;
  readonly kill: () => void;
}

export interface TaskThreadOptions {
  readonly data: TaskThreadData;
  readonly heapMib: number;
  readonly serves: SupervisorCalls;
}

const ENTRY = new URL('./task-worker.ts', import.meta.url);

export function startTaskThread({ data, heapMib, serves }: TaskThreadOptions): TaskThread {
  const thread = startThread<TaskCalls>(ENTRY, {
    name: `task ${data.task}`,
    serves,
    heapMib,
    ownOutput: true,
    // Otherwise Node, at the end of the thread, closes every descriptor number that `fs.open` gave
    // out in it, although a socket may own the number (a sandbox opens its guests' pipes this way),
    // may have closed it long ago, and another thread may use it now. A task that is killed between
    // open and close leaks the descriptor instead.
    trackUnmanagedFds: false,
  });
  async function run(): Promise<TaskEnd | WorkerLost> {
    try {
      // Work that the task left running ends with the thread.
      return await withWorker(thread, ({ call }) => call('run', data));
    } catch (error) {
      if (error instanceof WorkerLost) return error;
      throw error;
    }
  }
  return {
    stdout: thread.worker.stdout,
    stderr: thread.worker.stderr,
    ended: run(),
    async cpuMs() {
      const { user, system } = await thread.worker.cpuUsage();
      return (user + system) / 1000;
    },
    stop: () => void thread.call('stop', undefined).catch(() => undefined),
    kill: () => void thread.stop(),
  };
}

/**
 * Asks a module for its tasks, in a thread: a supervisor imports no work.
 *
 * @throws Error that names the module and gives the reason why it cannot be imported.
 */
export async function namesOfTasks(modulePath: string): Promise<string[]> {
  const thread = startThread<TaskCalls>(ENTRY, { name: 'skein-task-names' });
  try {
    return await withWorker(thread, ({ call }) => call('names', modulePath));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The task module ${modulePath} cannot be used: ${reason}`, { cause: error });
  }
}
