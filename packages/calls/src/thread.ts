/** A worker thread that serves calls. Buffers move; everything else is copied. */
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { lifeOf, WorkerLost, type CallWorker, type WorkerOptions } from './call-worker.ts';
import type { Message, Served } from './calls.ts';
import { workerEnvironment } from './worker-environment.ts';

export interface ThreadOptions extends WorkerOptions {
  /** Bound of the JavaScript heap, in MiB; buffers are not in it. Default: Node's. */
  readonly heapMib?: number;
  /** Whether `worker.stdout` and `worker.stderr` are read here. */
  readonly ownOutput?: boolean;
  /** Options of Node's `Worker`. */
  readonly trackUnmanagedFds?: boolean;
}

export interface StartedThread<S extends Served> extends CallWorker<S> {
  /** For its output, its processor time and its load. */
  readonly worker: Worker;
  /** Receives an answer that has arrived but that the event loop has not delivered yet. */
  readonly poll: () => unknown;
}

/** Starts a thread; its entry serves the functions `S`. Without calls in flight it keeps no process alive. */
export function startThread<S extends Served>(
  entry: URL,
  options: ThreadOptions,
): StartedThread<S> {
  const { name, native = false, heapMib, ownOutput = false, trackUnmanagedFds = true } = options;
  // A channel of its own, because the built-in one of a worker cannot be polled.
  const { port1: port, port2: workerData } = new MessageChannel();
  const worker = new Worker(entry, {
    name,
    workerData,
    transferList: [workerData],
    execArgv: [],
    env: options.env ?? workerEnvironment(),
    stdout: ownOutput,
    stderr: ownOutput,
    trackUnmanagedFds,
    ...(heapMib === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapMib } }),
  });
  const what = `The thread ${name}`;
  const stopWithinMs = native ? Infinity : 0;
  const life = lifeOf<S>(
    {
      what,
      stopWithinMs,
      send: (message, transfer) => port.postMessage(message, transfer),
      kill: () => void worker.terminate(),
      hold: (busy) => (busy ? worker.ref() : worker.unref()),
    },
    options,
  );
  port.on('message', life.receive);
  port.unref();
  /** @returns whether there was a message. */
  function poll(): boolean {
    const arrived = receiveMessageOnPort(port);
    if (arrived !== undefined) life.receive(arrived.message as Message);
    return arrived !== undefined;
  }
  let crash: WorkerLost | undefined;
  worker.once('error', (cause: unknown) => {
    const full = (cause as { code?: string } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
    const message = `${what} failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    crash = new WorkerLost(full ? 'memory' : 'crashed', message, { cause });
  });
  port.once('messageerror', (cause: Error) => {
    const message = `A message of the thread ${name} could not be received: ${cause.message}`;
    void life.end(new WorkerLost('crashed', message, { cause }), stopWithinMs);
  });
  worker.once('exit', (code) => {
    // The last answers may have arrived and not been delivered.
    while (poll());
    port.close();
    life.exited(crash ?? new WorkerLost('exited', `${what} ended with exit code ${code}.`));
  });
  return { ...life.worker, worker, poll };
}
