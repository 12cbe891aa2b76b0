/**
 * Wakes the dispatcher: one timer, set to the earliest requested time.
 *
 * Timers of the event loop have a resolution of a millisecond; for an earlier time the dispatcher
 * runs once per iteration of the event loop.
 */
import type { Clock, Instant } from '../../contract.ts';

const TIMER_MS = 1.5;
const LONGEST_MS = 60_000;

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #isSoon = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt: Instant = Infinity;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Fires in the next iteration of the event loop. */
  soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    setImmediate(this.#ringSoon);
  }

  /** Fires at this time or earlier; Infinity requests nothing. */
  at(time: Instant): void {
    if (time >= this.#timerAt || time === Infinity) return;
    const wait = time - this.#clock.now();
    if (wait < TIMER_MS) return this.soon();
    clearTimeout(this.#timer);
    this.#timerAt = time;
    this.#timer = setTimeout(this.#ringTimer, Math.min(wait, LONGEST_MS));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timerAt = Infinity;
  }

  readonly #ringSoon = (): void => {
    this.#isSoon = false;
    this.#ring();
  };

  readonly #ringTimer = (): void => {
    this.#timerAt = Infinity;
    this.#ring();
  };
}
