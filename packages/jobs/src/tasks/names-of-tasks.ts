/** Asks a module for its tasks, in a thread: a supervisor imports no work. */
import { Worker } from 'node:worker_threads';
import { workerEnvironment } from '@skein/state/worker-environment';

const ENTRY = new URL('./names-worker.ts', import.meta.url);

/** @throws Error that names the module and says why it cannot be imported. */
export function namesOfTasks(modulePath: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(ENTRY, {
      workerData: modulePath,
      execArgv: [],
      env: workerEnvironment(),
    });
    const failed = (reason: string): void =>
      reject(new Error(`The task module ${modulePath} cannot be used: ${reason}`));
    thread.once('message', resolve);
    thread.once('error', (error) => failed(error instanceof Error ? error.message : String(error)));
    thread.once('exit', () => failed('it ended its thread.'));
  });
}
