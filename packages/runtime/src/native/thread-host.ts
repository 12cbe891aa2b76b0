/**
 * A worker thread: the cheapest hand-over, because buffers move. But a crash in native code takes the
 * node along, and ending the thread waits for a run that is going on, which nothing can interrupt.
 */
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { WORKER_ENTRY, workerEnvironment, type Host } from './host.ts';
import type { Reply } from './wire.ts';

export function threadHost(): Host {
  // A channel of our own, because a worker's built-in one cannot be polled.
  const { port1: port, port2: workerData } = new MessageChannel();
  const worker = new Worker(WORKER_ENTRY, {
    name: 'skein-session',
    workerData,
    transferList: [workerData],
    execArgv: [],
    env: workerEnvironment(),
  });
  let cause: string | undefined;
  const ended = new Promise<string>((resolve) => {
    worker.once('error', (error) => {
      cause = `The worker thread failed: ${error instanceof Error ? error.message : String(error)}`;
    });
    port.once('messageerror', (error: Error) => {
      cause = `An answer of the worker thread could not be received: ${error.message}`;
      void worker.terminate();
    });
    worker.once('exit', (code) => {
      port.close();
      resolve(cause ?? `The worker thread exited with code ${code}.`);
    });
  });
  const host: Host = {
    moves: true,
    send: (message, moved) => port.postMessage(message, moved),
    onReply: () => undefined,
    poll() {
      const waiting = receiveMessageOnPort(port);
      if (waiting !== undefined) host.onReply(waiting.message as Reply);
    },
    ended,
    async end() {
      await worker.terminate();
      await ended;
    },
  };
  port.on('message', (reply: Reply) => host.onReply(reply));
  return host;
}
