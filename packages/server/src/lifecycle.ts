/**
 * The components of a node: started in the order of their dependencies, stopped in the reverse order
 * with one shared deadline. No component adds a timeout of its own: one that has not stopped by then
 * is abandoned, and the exit of the process ends it.
 *
 * Durable data are written before they are acknowledged, so abandoning a component loses none.
 */
import { SkeinError } from '@skein/api';
import { within } from '@skein/api/waits';
import type { Instant } from '@skein/serving';

export interface Component {
  /** Name for the log. */
  readonly name: string;
  /** @param by the deadline. */
  readonly stop: (by: Instant) => unknown;
}

/** Registers the started components for the shutdown. */
export interface Lifecycle {
  /** Registers a started component. @throws SkeinError NODE_DRAINING if the node was aborted. */
  open(name: string, stop: Component['stop']): void;
  /** Replaces what is called when the node is aborted while it starts. */
  onAbort(act: () => void): void;
  /** Stops everything. Idempotent. */
  drain(): Promise<void>;
}

export interface LifecycleOptions {
  /** Aborts the start. */
  readonly signal: AbortSignal | undefined;
  /** Time in which everything stops, in milliseconds. */
  readonly graceMs: number;
  /** Called for every component that was abandoned or failed. */
  readonly late: (component: string, error?: unknown) => void;
}

/** Runs `start`. If that fails or is aborted, stops what it had opened, and rejects. */
export async function startWithin<T>(
  { signal, graceMs, late }: LifecycleOptions,
  start: (lifecycle: Lifecycle) => Promise<T>,
): Promise<T> {
  const started: Component[] = [];
  let drained: Promise<void> | undefined;
  let abortedAt: Instant | undefined;
  let abortStart: () => void = () => {};
  const onAbort = (): void => {
    abortedAt = performance.now();
    abortStart();
  };
  const throwIfAborted = (): void => {
    if (signal?.aborted !== true) return;
    throw new SkeinError('NODE_DRAINING', 'The node was asked to end while it started.');
  };
  const lifecycle: Lifecycle = {
    open(name, stop) {
      started.push({ name, stop });
      throwIfAborted();
    },
    onAbort: (act) => (abortStart = act),
    drain: () =>
      (drained ??= stopComponents(started, (abortedAt ?? performance.now()) + graceMs, late)),
  };
  signal?.addEventListener('abort', onAbort);
  try {
    const running = await start(lifecycle);
    throwIfAborted();
    return running;
  } catch (error) {
    await lifecycle.drain();
    throw error;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Time after the deadline that the remaining components may take together, in milliseconds. */
const LAST_MS = 400;
/** Minimum time for any component, in milliseconds: closing a database takes a few. */
const LEAST_MS = 40;

/**
 * @param started is emptied.
 * @param late called for every component that was abandoned or failed.
 */
export async function stopComponents(
  started: Component[],
  by: Instant,
  late: (component: string, error?: unknown) => void,
): Promise<void> {
  for (const { name, stop } of started.splice(0).reverse()) {
    const leftMs = Math.max(LEAST_MS, by + LAST_MS - performance.now());
    try {
      await within(Promise.resolve(stop(by)), leftMs, () => late(name));
    } catch (error) {
      late(name, error);
    }
  }
}
