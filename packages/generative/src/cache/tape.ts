/**
 * The events of one answer for several readers: each reads from the first event at its own pace,
 * and waits at the end until more comes. Events are kept, which an answer's length bounds.
 */
import type { GenerateEvent } from '../contract.ts';

export interface Tape {
  push(event: GenerateEvent): void;
  end(error?: Error): void;
  /** @throws what it ended with, or the reason of the signal, which ends this reader alone. */
  read(signal: AbortSignal): AsyncGenerator<GenerateEvent>;
  readonly events: readonly GenerateEvent[];
  /** Whether it ended without an error. */
  readonly isWhole: boolean;
}

export function createTape(): Tape {
  const events: GenerateEvent[] = [];
  let changed = Promise.withResolvers<void>();
  let isEnded = false;
  let failure: Error | undefined;
  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  return {
    events,
    get isWhole() {
      return isEnded && failure === undefined;
    },
    push(event) {
      events.push(event);
      wake();
    },
    end(error) {
      isEnded = true;
      failure = error;
      wake();
    },
    async *read(signal) {
      signal.addEventListener('abort', wake);
      try {
        for (let at = 0; ;) {
          signal.throwIfAborted();
          if (at < events.length) yield events[at++]!;
          else if (isEnded) break;
          else await changed.promise;
        }
      } finally {
        signal.removeEventListener('abort', wake);
      }
      if (failure !== undefined) throw failure;
    },
  };
}
