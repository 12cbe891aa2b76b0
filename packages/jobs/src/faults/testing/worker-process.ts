/** Starts, kills, stops and resumes the process of worker-main.ts, and calls the store through it. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { JobStore } from '../../contract.ts';
import type { FromWorkerMain, StoreCall, WorkerMainOptions } from './worker-main.ts';

export interface WorkerProcess {
  readonly worker: string;
  readonly pid: number;
  /** Rejects when the process is gone before it has answered. */
  call<M extends keyof JobStore>(
    method: M,
    ...args: Parameters<JobStore[M]>
  ): Promise<Awaited<ReturnType<JobStore[M]>>>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: other processes take it for dead, and it does not notice. */
  freeze(): void;
  thaw(): void;
  readonly gone: Promise<void>;
}

const living = new Set<() => void>();
process.once('exit', () => {
  for (const kill of living) kill();
});

/**
 * @param heapMib bound of each heap of the process, the store's thread included; the young
 * generation is small then, so that what is garbage does not count for long.
 */
export async function startWorkerProcess(
  options: WorkerMainOptions,
  heapMib?: number,
): Promise<WorkerProcess> {
  const child = fork(join(import.meta.dirname, 'worker-main.ts'), [JSON.stringify(options)], {
    execArgv:
      heapMib === undefined ? [] : [`--max-old-space-size=${heapMib}`, '--max-semi-space-size=2'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
  const end = (): void => void child.kill('SIGKILL');
  living.add(end);
  const waiting = new Map<number, PromiseWithResolvers<never>>();
  let lastId = 0;
  const ready = Promise.withResolvers<string>();
  child.on('message', (message: FromWorkerMain) => {
    if ('ready' in message) return ready.resolve(message.ready);
    const asked = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) asked?.resolve(message.value as never);
    else asked?.reject(new Error(message.error));
  });
  const gone = once(child, 'exit').then(() => {
    living.delete(end);
    const error = new Error('The worker process is gone.');
    ready.reject(error);
    for (const asked of waiting.values()) asked.reject(error);
  });
  const worker = await ready.promise;
  return {
    worker,
    pid: child.pid!,
    gone,
    call(method, ...args) {
      const asked = Promise.withResolvers<never>();
      if (!child.connected) return Promise.reject(new Error('The worker process is gone.'));
      waiting.set(++lastId, asked);
      child.send({ id: lastId, method, args } satisfies StoreCall, (error) => {
        if (error !== null) asked.reject(error);
      });
      return asked.promise;
    },
    async kill() {
      end();
      await gone;
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
  };
}
