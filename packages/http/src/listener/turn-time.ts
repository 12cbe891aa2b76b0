/**
 * The time that work of one kind may take of a turn of the event loop. Once it is spent, the work waits for the
 * next turn, in its order, so that timers, other sockets and answers of replicas do not wait for all of it.
 */

/** Time of one turn, in milliseconds. */
const TURN_MS = 10;

export interface TurnTimeOptions {
  readonly now?: (() => number) | undefined;
  /** Nothing waits any more. */
  readonly onDone?: () => void;
}

export class TurnTime {
  readonly #now: () => number;
  readonly #onDone: () => void;
  #leftMs = TURN_MS;
  #endsAt = Infinity;
  #isScheduled = false;
  readonly #waiting: (() => void)[] = [];

  constructor({ now = () => performance.now(), onDone = () => {} }: TurnTimeOptions = {}) {
    this.#now = now;
    this.#onDone = onDone;
  }

  /** Whether work is to wait: for the next turn, or behind what waits already. */
  get isSpent(): boolean {
    return this.#leftMs <= 0 || (this.#endsAt !== Infinity && this.#now() >= this.#endsAt);
  }

  /** Runs the work now, and counts its time, without what it leaves to ticks. */
  spend(work: () => void): void {
    const begunAt = this.#now();
    work();
    this.#leftMs -= this.#now() - begunAt;
    this.#schedule();
  }

  /** Work begins that leaves much to ticks and events: all time counts from here on, until the turn ends. */
  begin(): void {
    if (this.#endsAt !== Infinity) return;
    this.#endsAt = this.#now() + TURN_MS;
    this.#schedule();
  }

  /** Calls it in the next turn that has time left, after what waits already. It is to `spend` or to `begin`. */
  wait(work: () => void): void {
    this.#waiting.push(work);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#next);
  }

  #next = (): void => {
    this.#isScheduled = false;
    this.#leftMs = TURN_MS;
    this.#endsAt = Infinity;
    this.#work();
  };

  #work = (): void => {
    const work = this.isSpent ? undefined : this.#waiting.shift();
    if (work !== undefined) {
      work();
      // Behind the ticks of this one, so that their time counts.
      process.nextTick(this.#work);
    } else if (this.#waiting.length === 0) this.#onDone();
    else this.#schedule();
  };
}
