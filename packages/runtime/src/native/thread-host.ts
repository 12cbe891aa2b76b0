/**
 * A worker thread: the cheapest transfer, because buffers move. But a crash in native code ends the
 * node too, and ending the thread waits for its current run, which cannot be interrupted. The
 * thread is asked to end, and never terminated: native code that returns to a terminated thread
 * aborts the node.
 */
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { WORKER_ENTRY, workerEnvironment, type Host } from './host.ts';
import { living } from './living-threads.ts';
import type { Reply, Request } from './wire.ts';

export function threadHost(): Host {
  // A separate channel, because a worker's built-in one cannot be polled.
  const { port1: port, port2: workerData } = new MessageChannel();
  const worker = new Worker(WORKER_ENTRY, {
    name: 'skein-session',
    workerData,
    transferList: [workerData],
    execArgv: [],
    env: workerEnvironment(),
  });
  living.add(worker);
  let cause: string | undefined;
  let ending = false;
  const receive = (reply: Reply) => {
    if (!ending) host.onReply(reply);
  };
  const ended = new Promise<string>((resolve) => {
    worker.once('error', (error) => {
      cause = `The worker thread failed: ${error instanceof Error ? error.message : String(error)}`;
    });
    port.once('messageerror', (error: Error) => {
      cause = `An answer of the worker thread could not be received: ${error.message}`;
      void host.end();
    });
    worker.once('exit', (code) => {
      port.close();
      living.delete(worker);
      resolve(cause ?? `The worker thread exited with code ${code}.`);
    });
  });
  const host: Host = {
    moves: true,
    send: (message, moved) => port.postMessage(message, moved),
    onReply: () => undefined,
    poll() {
      const waiting = receiveMessageOnPort(port);
      if (waiting !== undefined) receive(waiting.message as Reply);
    },
    ended,
    async end() {
      if (!ending) port.postMessage('end' satisfies Request);
      ending = true;
      await ended;
    },
  };
  port.on('message', receive);
  return host;
}
