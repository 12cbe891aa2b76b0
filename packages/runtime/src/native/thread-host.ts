/** A worker thread: the cheapest hand-over (buffers move), but a crash of native code takes the process along. */
import { Worker } from 'node:worker_threads';
import { WORKER_ENTRY, type Host } from './host.ts';

export function threadHost(): Host {
  const worker = new Worker(WORKER_ENTRY, { name: 'skein-session', execArgv: [] });
  let cause: string | undefined;
  const ended = new Promise<string>((resolve) => {
    worker.once('error', (error) => {
      cause = `The worker thread failed: ${error instanceof Error ? error.message : String(error)}`;
    });
    worker.once('exit', (code) => resolve(cause ?? `The worker thread exited with code ${code}.`));
  });
  const host: Host = {
    send: (message, transfer) => worker.postMessage(message, transfer),
    onReply: () => undefined,
    ended,
    async end() {
      await worker.terminate();
      await ended;
    },
  };
  worker.on('message', (reply) => host.onReply(reply));
  return host;
}
