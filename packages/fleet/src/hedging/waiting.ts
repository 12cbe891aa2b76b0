/**
 * The requests of one deployment that this node has accepted and not answered, in the order of their
 * arrival, with one timer for those that wait for long. An answered request leaves the list at once, so
 * that its tensors are kept no longer than it runs.
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
  /** Whether the copy on this node has been answered, or has failed. */
  isOver = false;
  isHedged = false;
  /** Whether the copy on this node was cancelled for another one. */
  isCut = false;
  before: Waiting | undefined;
  next: Waiting | undefined;

  constructor(request: InferenceRequest, sentAt: Instant, own: Promise<InferenceAnswer>) {
    this.request = request;
    this.sentAt = sentAt;
    this.own = own;
    this.answer = new Promise((resolve) => (this.resolve = resolve));
  }
}

export interface WaitingListOptions {
  readonly now: () => Instant;
  /** How long a request may wait now, in milliseconds; undefined: for as long as it takes. */
  readonly afterMs: () => number | undefined;
  /** Called once for each. */
  readonly onLate: (late: Waiting) => void;
}

/** Time between two looks while it is not known how long a request may wait, in milliseconds. */
const UNKNOWN_MS = 1000;

export class WaitingList {
  readonly #options: WaitingListOptions;
  #first: Waiting | undefined;
  #last: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WaitingListOptions) {
    this.#options = options;
  }

  add(waiting: Waiting): void {
    waiting.before = this.#last;
    if (this.#last === undefined) this.#first = waiting;
    else this.#last.next = waiting;
    this.#last = waiting;
    if (this.#timer === undefined) this.#lookIn(this.#options.afterMs() ?? UNKNOWN_MS);
  }

  /** Does nothing for one that has left the list. */
  remove(waiting: Waiting): void {
    const { before, next } = waiting;
    if (before === undefined && this.#first !== waiting) return;
    if (before === undefined) this.#first = next;
    else before.next = next;
    if (next === undefined) this.#last = before;
    else next.before = before;
    waiting.before = waiting.next = undefined;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#first = this.#last = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const { now: clock, afterMs: allowed, onLate } = this.#options;
    const afterMs = allowed();
    const now = clock();
    for (let first = this.#first; first !== undefined; first = this.#first) {
      const leftMs = first.sentAt + (afterMs ?? Infinity) - now;
      if (leftMs > 0) {
        this.#lookIn(Math.min(leftMs, afterMs ?? UNKNOWN_MS));
        return;
      }
      this.remove(first);
      onLate(first);
    }
  }

  #lookIn(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.ceil(ms)).unref();
  }
}
