/**
 * A child process that serves calls. Every byte is copied through a pipe, but a crash in native
 * code ends the child alone.
 */
import { fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { getPriority, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  lifeOf,
  WorkerLost,
  type CallWorker,
  type END,
  type WorkerOptions,
} from './call-worker.ts';
import { isAnswer, refusalOf, type Message, type Served } from './calls.ts';
import { LastOutput } from './last-output.ts';
import { boundMemory } from './memory-bound.ts';
import type { Started } from './serve.ts';
import { workerEnvironment } from './worker-environment.ts';

export interface ProcessOptions extends WorkerOptions {
  /** Memory beyond what the child takes for itself, in bytes. The child watches it, and its parent, as with `native`. */
  readonly maxMemoryBytes?: number | undefined;
  /** Leaves the cores to this process while it needs them. Default: it has the same priority. */
  readonly yields?: boolean | undefined;
}

/**
 * Niceness that a child which yields adds to its parent's: where both wait for one core, it gets a
 * quarter of it.
 */
const YIELDING = 5;
const MOST_NICE = 19;

/** Starts a process; its entry serves the functions `S`. Without calls in flight it does not keep this process alive. */
export function startProcess<S extends Served>(entry: URL, options: ProcessOptions): CallWorker<S> {
  const { name, native = false, maxMemoryBytes, yields = false } = options;
  const watched = native || maxMemoryBytes !== undefined;
  const watch = watched ? String(maxMemoryBytes ?? Infinity) : '';
  const child = fork(fileURLToPath(entry), [watch], {
    serialization: 'advanced',
    execArgv: [],
    env: options.env ?? workerEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  if (yields) lowerPriority(child.pid);
  const stderr = child.stderr as Socket;
  const output = new LastOutput();
  stderr.setEncoding('utf8').on('data', (text: string) => output.add(text));
  /** Requests that wait until the child's memory is bounded; undefined from then on. */
  let early: (Message | typeof END)[] | undefined = maxMemoryBytes === undefined ? undefined : [];
  // Sending to a child that has just ended fails; the reason of its end reports it better.
  const send = (message: Message | typeof END): void => {
    if (early !== undefined && !isAnswer(message)) early.push(message);
    else if (child.connected) child.send(message, () => undefined);
  };
  async function begin(): Promise<void> {
    if (early === undefined) return;
    await boundMemory(child.pid!, maxMemoryBytes!);
    const waiting = early;
    early = undefined;
    for (const message of waiting) {
      try {
        send(message);
      } catch (error) {
        // The argument of a call cannot be cloned, which shows only now.
        life.receive(refusalOf(message as Message, error));
      }
    }
  }
  const what = `The process ${name}`;
  const life = lifeOf<S>(
    {
      what,
      stopWithinMs: 0,
      send,
      kill: () => void child.kill('SIGKILL'),
      hold(busy) {
        for (const handle of [child, child.channel, stderr]) {
          if (busy) handle?.ref();
          else handle?.unref();
        }
      },
    },
    options,
  );
  child.on('message', (message: Message | Started) => {
    if (message === 'started') void begin();
    else life.receive(message);
  });
  const exited = (message: string): void => life.exited(new WorkerLost('exited', message));
  child.once('error', ({ message }) => exited(`${what} could not start: ${message}`));
  // Not `exit`: the last output may not have arrived yet.
  child.once('close', (code, signal) => {
    const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
    const { reason } = output;
    exited(`${what} ${how}${reason === '' ? '.' : `; its last output: ${reason}`}`);
  });
  return life.worker;
}

/** Memory of the process and of the threads that it starts from now on. One that has ended, or could not start, has none. */
function lowerPriority(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, Math.min(MOST_NICE, getPriority() + YIELDING));
  } catch {
    // It has ended already.
  }
}
