/**
 * The requests of one deployment that this node has accepted, in the order of their arrival, with one
 * timer for those that are not answered after a while. An answered request costs no timer; it leaves the
 * list when it comes to its head.
 */
import type { InferenceAnswer, InferenceRequest, Instant } from '@skein/serving';

/** A request, and its answer, which may be that of another copy. */
export class Waiting {
  readonly request: InferenceRequest;
  readonly sentAt: Instant;
  /** Of the copy on this node. */
  readonly own: Promise<InferenceAnswer>;
  readonly answer: Promise<InferenceAnswer>;
  resolve!: (answer: InferenceAnswer | Promise<InferenceAnswer>) => void;
  reject!: (error: unknown) => void;
  /** Whether the copy on this node has been answered, or has failed. */
  isOver = false;
  isHedged = false;
  next: Waiting | undefined;

  constructor(request: InferenceRequest, sentAt: Instant, own: Promise<InferenceAnswer>) {
    this.request = request;
    this.sentAt = sentAt;
    this.own = own;
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

export interface WaitingListOptions {
  readonly now: () => Instant;
  /** How long a request may wait now, in milliseconds; undefined: for as long as it takes. */
  readonly afterMs: () => number | undefined;
  readonly onLate: (late: Waiting) => void;
}

/** Time between two looks while it is not known how long a request may wait, in milliseconds. */
const UNKNOWN_MS = 1000;

export class WaitingList {
  readonly #options: WaitingListOptions;
  #head: Waiting | undefined;
  #tail: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WaitingListOptions) {
    this.#options = options;
  }

  add(waiting: Waiting): void {
    if (this.#tail === undefined) this.#head = waiting;
    else this.#tail.next = waiting;
    this.#tail = waiting;
    if (this.#timer === undefined) this.#lookIn(this.#options.afterMs() ?? UNKNOWN_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#head = this.#tail = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const { now: clock, afterMs: allowed, onLate } = this.#options;
    const afterMs = allowed();
    const now = clock();
    for (let first = this.#head; first !== undefined; first = this.#head) {
      const leftMs = first.sentAt + (afterMs ?? Infinity) - now;
      if (!first.isOver && leftMs > 0) {
        this.#lookIn(Math.min(leftMs, afterMs ?? UNKNOWN_MS));
        return;
      }
      this.#head = first.next;
      first.next = undefined;
      if (this.#head === undefined) this.#tail = undefined;
      if (!first.isOver) onLate(first);
    }
  }

  #lookIn(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.ceil(ms)).unref();
  }
}
