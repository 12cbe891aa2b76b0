/**
 * When the dispatcher looks again: one timer, set to the earliest time that anybody asked for.
 *
 * The event loop's timers are as coarse as a millisecond; a time that is closer is met by looking
 * once per turn of the loop.
 */
import type { Clock, Instant } from '../contract.ts';

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

  /** Rings in the next turn of the event loop. */
  soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    setImmediate(this.#ringSoon);
  }

  /** Rings at a time, or earlier; Infinity asks for nothing. */
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
