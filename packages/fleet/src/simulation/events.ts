/** Events in the order of their times: a binary heap, because a fleet of 2,000 nodes has millions. */

/** Milliseconds since the start of the simulation. */
export type Time = number;

interface Event {
  readonly at: Time;
  readonly happen: () => void;
}

export class Events {
  now: Time = 0;
  readonly #heap: Event[] = [];

  after(ms: number, happen: () => void): void {
    const heap = this.#heap;
    const event = { at: this.now + ms, happen };
    let position = heap.length;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (heap[parent]!.at <= event.at) break;
      heap[position] = heap[parent]!;
      position = parent;
    }
    heap[position] = event;
  }

  /** Until no event is left. */
  run(): void {
    for (let event = this.#next(); event !== undefined; event = this.#next()) {
      this.now = event.at;
      event.happen();
    }
  }

  #next(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let position = 0;
    for (;;) {
      let child = 2 * position + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= last.at) break;
      heap[position] = heap[child]!;
      position = child;
    }
    heap[position] = last;
    return first;
  }
}
