/**
 * The time that work of one kind may take of a turn of the event loop. Once it is spent, the work waits for the
 * next turn, in its order, so that timers, other sockets and answers of replicas do not wait for all of it.
 */

/** Time of one turn, in milliseconds. */
const TURN_MS = 10;

export interface TurnTimeOptions {
  readonly now?: () => number;
  /** Nothing waits any more. */
  readonly onDone?: () => void;
}

export class TurnTime {
  readonly #now: () => number;
  readonly #onDone: () => void;
  #leftMs = TURN_MS;
  #isBegun = false;
  #waiting: (() => void)[] = [];

  constructor({ now = () => performance.now(), onDone = () => {} }: TurnTimeOptions = {}) {
    this.#now = now;
    this.#onDone = onDone;
  }

  /** Whether work is to wait: for the next turn, or behind what waits already. */
  get isSpent(): boolean {
    return this.#leftMs <= 0;
  }

  /** Runs the work now, and counts its time. */
  spend(work: () => void): void {
    const begunAt = this.#now();
    work();
    this.#leftMs -= this.#now() - begunAt;
    this.#begin();
  }

  /** Calls it in the next turn that has time left, after what waits already. It is to `spend`. */
  wait(work: () => void): void {
    this.#waiting.push(work);
    this.#begin();
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    setImmediate(this.#next);
  }

  #next = (): void => {
    this.#isBegun = false;
    this.#leftMs = TURN_MS;
    const waiting = this.#waiting;
    this.#waiting = [];
    let done = 0;
    while (done < waiting.length && !this.isSpent) waiting[done++]!();
    if (done < waiting.length) this.#waiting = [...waiting.slice(done), ...this.#waiting];
    if (this.#waiting.length === 0) this.#onDone();
    else this.#begin();
  };
}
