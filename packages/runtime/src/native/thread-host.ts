/**
 * A worker thread: the cheapest hand-over, because buffers move. But a crash in native code takes the
 * node along, and ending the thread waits for a run that is going on, which nothing can interrupt.
 */
import { Worker } from 'node:worker_threads';
import { WORKER_ENTRY, workerEnvironment, type Host } from './host.ts';
import type { Reply } from './wire.ts';

export function threadHost(): Host {
  const worker = new Worker(WORKER_ENTRY, {
    name: 'skein-session',
    execArgv: [],
    env: workerEnvironment(),
  });
  let cause: string | undefined;
  const ended = new Promise<string>((resolve) => {
    worker.once('error', (error) => {
      cause = `The worker thread failed: ${error instanceof Error ? error.message : String(error)}`;
    });
    worker.once('messageerror', (error) => {
      cause = `An answer of the worker thread could not be received: ${error.message}`;
      void worker.terminate();
    });
    worker.once('exit', (code) => resolve(cause ?? `The worker thread exited with code ${code}.`));
  });
  const host: Host = {
    moves: true,
    send: (message, moved) => worker.postMessage(message, moved),
    onReply: () => undefined,
    ended,
    async end() {
      await worker.terminate();
      await ended;
    },
  };
  worker.on('message', (reply: Reply) => host.onReply(reply));
  return host;
}
