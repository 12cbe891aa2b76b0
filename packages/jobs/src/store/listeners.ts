/** Listeners by key: notifications for a worker, events of a store. */
import type { EventFilter, JobEvent } from '../contract.ts';

export interface Listeners<Value> {
  on(key: string, listener: (value: Value) => void): () => void;
  /** Resolves with the next value, or when aborted. */
  once(key: string, signal: AbortSignal): Promise<void>;
  notify(key: string, value: Value): void;
}

export function listenersOf<Value>(): Listeners<Value> {
  const listeners = new Map<string, Set<(value: Value) => void>>();
  function on(key: string, listener: (value: Value) => void): () => void {
    const here = listeners.get(key) ?? new Set();
    listeners.set(key, here.add(listener));
    return () => {
      here.delete(listener);
      if (here.size === 0 && listeners.get(key) === here) listeners.delete(key);
    };
  }
  return {
    on,
    once: (key, signal) =>
      new Promise((resolve) => {
        const done = () => {
          stop();
          signal.removeEventListener('abort', done);
          resolve();
        };
        const stop = on(key, done);
        if (signal.aborted) done();
        else signal.addEventListener('abort', done, { once: true });
      }),
    notify(key, value) {
      for (const listener of listeners.get(key) ?? []) listener(value);
    },
  };
}

export function isWanted(event: JobEvent, { job, group, queue }: EventFilter): boolean {
  return (
    (job === undefined || event.job === job) &&
    (group === undefined || event.group === group) &&
    (queue === undefined || event.queue === queue)
  );
}
