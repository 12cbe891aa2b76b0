/**
 * Counts what is in flight at a gateway: a call until it is answered, and a streamed answer until its
 * events have ended, were left, or can no longer be read because the caller has gone.
 */
import type { GenerateEvent, Generation } from '@skein/generative';

export interface InFlight {
  readonly count: number;
  during<Result>(call: () => Promise<Result>): Promise<Result>;
  /** @returns the answer, in flight until its events end. */
  whileRead(generation: Generation, signal: AbortSignal): Generation;
}

/** @param idle called whenever the last one ends. */
export function countInFlight(idle: () => void): InFlight {
  let count = 0;

  function begin(): () => void {
    let isOpen = true;
    count += 1;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      count -= 1;
      if (count === 0) idle();
    };
  }

  return {
    get count() {
      return count;
    },
    async during(call) {
      const end = begin();
      try {
        return await call();
      } finally {
        end();
      }
    },
    whileRead(generation, signal) {
      const events = generation.events[Symbol.asyncIterator]();
      const ended = begin();
      const end = (): void => {
        signal.removeEventListener('abort', end);
        ended();
      };
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
      // Not a generator: `return` of one that has not begun would end nothing.
      const counted: AsyncIterableIterator<GenerateEvent> = {
        async next() {
          let isDone = true;
          try {
            const next = await events.next();
            isDone = next.done === true;
            return next;
          } finally {
            if (isDone) end();
          }
        },
        async return() {
          try {
            await events.return?.();
          } finally {
            end();
          }
          return { done: true, value: undefined };
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
      return { ...generation, events: counted };
    },
  };
}
