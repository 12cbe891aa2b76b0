/**
 * The events of one answer for several readers: each reads from the first event at its own pace,
 * and waits at the end until more comes. Events are kept, which an answer's length bounds.
 */
import type { GenerateEvent } from '../contract.ts';

export interface Tape {
  push(event: GenerateEvent): void;
  end(error?: Error): void;
  /** @param left called when the reader stops before the end. */
  read(left?: () => void): AsyncGenerator<GenerateEvent>;
  readonly events: readonly GenerateEvent[];
  /** Whether it ended without an error. */
  readonly isWhole: boolean;
}

export function createTape(): Tape {
  const events: GenerateEvent[] = [];
  let waiting: (() => void)[] = [];
  let isEnded = false;
  let failure: Error | undefined;
  const wake = (): void => {
    const readers = waiting;
    waiting = [];
    for (const reader of readers) reader();
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
    async *read(left) {
      let isAtEnd = false;
      try {
        for (let at = 0; ;) {
          if (at < events.length) yield events[at++]!;
          else if (isEnded) break;
          else await new Promise<void>((resolve) => waiting.push(resolve));
        }
        isAtEnd = true;
      } finally {
        if (!isAtEnd) left?.();
      }
      if (failure !== undefined) throw failure;
    },
  };
}
