/**
 * Events that may be left before they are read: `return` of a generator that has not begun runs none
 * of its code, so its clean-up and its notifications at the end are skipped too.
 */
import type { GenerateEvent } from './contract.ts';

export type EventIterator = AsyncIterableIterator<GenerateEvent, void>;

/** @param left called once when the reader leaves before the first event. */
export function leavable(
  events: AsyncGenerator<GenerateEvent, void>,
  left: () => void,
): EventIterator {
  let isUntouched = true;
  return {
    next() {
      isUntouched = false;
      return events.next();
    },
    return() {
      if (isUntouched) left();
      isUntouched = false;
      return events.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Leaves events that are passed on by a generator which has not begun. */
export function leave(events: AsyncIterable<GenerateEvent>): void {
  events[Symbol.asyncIterator]()
    .return?.()
    .catch(() => {});
}
