/** A thread or a child process that serves calls, as the side that started it holds it. */
import { connect, type Calls, type Message, type Served } from './calls.ts';
import type { ErrorClass } from './errors.ts';

/** The message that asks a worker to exit. */
export const END = 'end';

export interface CallWorker<S extends Served> extends Calls<S> {
  /** Resolves when the worker has ended for any reason. */
  readonly ended: Promise<WorkerLost>;
  /**
   * Ends the worker. Resolves when it has ended; calls in flight reject then, even those that it
   * answers meanwhile.
   *
   * @param withinMs for a worker that exits when it reads the request; by force then.
   */
  stop(withinMs?: number): Promise<void>;
}

export interface WorkerOptions {
  /** For messages and debuggers. */
  readonly name: string;
  /** Functions for the worker to call. */
  readonly serves?: Served;
  /** Classes that errors of its functions keep. */
  readonly errors?: readonly ErrorClass[];
  /** A cancellation that is not confirmed for so long ends the worker. */
  readonly stuckAfterMs?: number;
  /** Default: `workerEnvironment()`. */
  readonly env?: NodeJS.ProcessEnv;
  /**
   * Calls may spend long in native code, which blocks the worker's event loop.
   *
   * A thread then is never terminated, because native code that returns to a terminated thread
   * aborts the process: `stop` waits. It keeps the process alive while it is idle too, and can be
   * polled. A child process watches its parent from a small thread of its own.
   */
  readonly native?: boolean;
}

/**
 * The worker has ended. Calls in flight reject with it: they may have had their effect or not.
 *
 * `crashed`: by an error, which is the cause. `memory`: beyond its heap. `exited`: unasked, or by a
 * signal. `stuck`: a cancelled call did not respond. `stopped`: by `stop`.
 */
export class WorkerLost extends Error {
  override readonly name = 'WorkerLost';
  readonly reason: 'crashed' | 'memory' | 'exited' | 'stuck' | 'stopped';

  constructor(reason: WorkerLost['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The differences between a thread and a child process. */
export interface Host {
  /** For messages: "The thread skein-state". */
  readonly what: string;
  /** Milliseconds until `stop` uses force, unless its caller gives another time. */
  readonly stopWithinMs: number;
  send(message: Message | typeof END, transfer: readonly ArrayBuffer[]): void;
  kill(): void;
  /** Whether the worker keeps this process alive. */
  hold(busy: boolean): void;
}

/** The life of a worker in a host; the host calls `receive`, and `exited` once. */
export interface Life<S extends Served> {
  readonly worker: CallWorker<S>;
  readonly receive: (message: Message) => void;
  /** Ends the worker; the first reason counts. */
  end(reason: WorkerLost, withinMs: number): Promise<void>;
  exited(reason: WorkerLost): void;
}

export function lifeOf<S extends Served>(host: Host, options: WorkerOptions): Life<S> {
  const { native = false, serves = {}, errors = [], stuckAfterMs } = options;
  const { what, stopWithinMs } = host;
  const gone = Promise.withResolvers<WorkerLost>();
  let lost: WorkerLost | undefined;
  const { call, stream, receive, ...connection } = connect<S>({
    serves,
    errors,
    stuckAfterMs,
    send: (message, transfer) => host.send(message, transfer),
    ...(native ? {} : { onBusy: (busy) => host.hold(busy) }),
    onStuck() {
      const message = `${what} did not respond for ${stuckAfterMs} ms after a call was cancelled.`;
      void end(new WorkerLost('stuck', message), 0);
    },
  });
  if (!native) host.hold(false);

  async function end(reason: WorkerLost, withinMs: number): Promise<void> {
    lost ??= reason;
    connection.close(lost);
    host.hold(true);
    if (withinMs === 0) host.kill();
    else host.send(END, []);
    const bounded = withinMs > 0 && withinMs < Infinity;
    const timer = bounded ? setTimeout(() => host.kill(), withinMs) : undefined;
    await gone.promise;
    clearTimeout(timer);
  }
  const stop = (withinMs = stopWithinMs): Promise<void> =>
    end(new WorkerLost('stopped', `${what} was ended by its starter.`), withinMs);
  return {
    worker: { call, stream, ended: gone.promise, stop },
    receive,
    end,
    exited(reason) {
      lost ??= reason;
      connection.end(lost);
      gone.resolve(lost);
    },
  };
}

/** Stops the worker when it has been used. */
export async function withWorker<W extends { stop(): Promise<void> }, Result>(
  worker: W,
  use: (worker: W) => Promise<Result>,
): Promise<Result> {
  try {
    return await use(worker);
  } finally {
    await worker.stop();
  }
}

/**
 * Starts a worker at the first call, and a new one at the first call after its end. The calls that
 * were in flight have failed: which of them ended the worker is not known.
 */
export function startOnDemand<
  W extends { readonly ended: Promise<unknown>; stop(): Promise<void> },
>(start: () => W): { get(): W; stop(): Promise<void> } {
  let current: W | undefined;
  return {
    get() {
      if (current !== undefined) return current;
      const started = (current = start());
      void started.ended.then(() => {
        if (current === started) current = undefined;
      });
      return started;
    },
    stop: async () => current?.stop(),
  };
}
