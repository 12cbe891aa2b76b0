/**
 * The worker's side: `serve` in the entry of a thread or a child process. Workers import this module
 * alone, because each module adds to their start.
 */
import { workerData, type MessagePort } from 'node:worker_threads';
import { connect, type Calls, type Message, type Served } from './calls.ts';
import type { ErrorClass } from './errors.ts';
import type { END } from './call-worker.ts';

export { moving, type CallContext, type Calls } from './calls.ts';
export { toWire, type WireError } from './errors.ts';

/** The first message of a child process, sent after it has allocated its own memory. */
export type Started = 'started';
type Received = Message | typeof END;

/**
 * Serves functions to the side that started this worker, until that side ends it.
 *
 * @param errors classes that errors of the other side keep.
 * @returns the functions that the other side serves.
 */
export function serve<Parent extends Served = Record<string, never>>(
  serves: Served,
  errors: readonly ErrorClass[] = [],
): Calls<Parent> {
  const port = workerData as MessagePort | null;
  if (port === null) return serveProcess(serves, errors);
  const { receive, call, stream, finish } = connect<Parent>({
    serves,
    errors,
    send: (message, transfer) => port.postMessage(message, transfer),
  });
  port.on('message', (message: Received) => {
    if (message === 'end') finish(() => process.exit());
    else receive(message);
  });
  return { call, stream };
}

function serveProcess<Parent extends Served>(
  serves: Served,
  errors: readonly ErrorClass[],
): Calls<Parent> {
  const { receive, call, stream, finish } = connect<Parent>({
    serves,
    errors,
    // The parent may have ended, and the channel with it.
    send: (message) => void (process.connected && process.send!(message)),
  });
  // Signals to the whole process group (Ctrl-C, a service manager's stop) are ignored: the parent
  // handles them, drains first, and ends its children itself.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: Received) => {
    if (message === 'end') finish(() => process.exit());
    else receive(message);
  });
  const [, , watch = ''] = process.argv;
  if (watch !== '') void startWatch(Number(watch));
  return { call, stream };
}

async function startWatch(maxMemoryBytes: number): Promise<void> {
  const { watchParent } = await import('./parent-watch.ts');
  await watchParent(maxMemoryBytes);
  // The thread of the checks uses memory of its own, which does not count for the calls.
  process.send!('started' satisfies Started);
}
