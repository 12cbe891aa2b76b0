/**
 * A simulated node: one replica that runs requests in the order of their arrival, and an estimate of
 * their cost. The estimate uses the size of a request and the pace of the node's recent runs, as the
 * dispatcher does, and not the time that the next run really takes.
 */
import type { Events, Time } from './events.ts';

export interface SimRequest {
  readonly arrivedAt: Time;
  readonly deadline: Time;
  /** Milliseconds at full speed. */
  readonly size: number;
  readonly tally: Tally;
  answered: boolean;
}

/** Counts of requests. The requests themselves are not kept: a simulation has millions. */
export class Tally {
  requests = 0;
  inTime = 0;
  /** Nodes that were asked or tried, beyond the one that a request reached. */
  messages = 0;
  /** Latencies of the answered requests, from arrival, in milliseconds. */
  readonly latencies: number[] = [];

  answered({ arrivedAt, deadline }: SimRequest, now: Time): void {
    this.latencies.push(now - arrivedAt);
    if (now <= deadline) this.inTime++;
  }
}

/** Weight of the last run in the estimated pace. */
const PACE_WEIGHT = 0.1;
/** Factor on the estimate: runs vary, and an accepted request is a promise. */
const MARGIN = 1.1;

export class SimNode {
  readonly id: number;
  readonly #events: Events;
  /** Milliseconds that a run takes here, for a size, at a time. */
  readonly #cost: (node: number, size: number, now: Time) => number;
  readonly #queue: SimRequest[] = [];
  #head = 0;
  #queuedSize = 0;
  #running: { readonly size: number; readonly startedAt: Time } | undefined;
  #pace = 1;

  constructor(id: number, events: Events, cost: (node: number, size: number, now: Time) => number) {
    this.id = id;
    this.#events = events;
    this.#cost = cost;
  }

  /** Requests that wait or run. */
  get length(): number {
    return this.#queue.length - this.#head + (this.#running === undefined ? 0 : 1);
  }

  /** Predicted time until the answer to a request of this size, in milliseconds. */
  predict(size: number): number {
    return this.#backlogMs() + this.#pace * size * MARGIN;
  }

  /** Whether it would be answered in time. */
  admits({ size, deadline }: SimRequest): boolean {
    return this.#events.now + this.predict(size) <= deadline;
  }

  /** Takes the request, whatever the estimate is. */
  take(request: SimRequest): void {
    this.#queue.push(request);
    this.#queuedSize += request.size;
    if (this.#running === undefined) this.#next();
  }

  #backlogMs(): number {
    const { now } = this.#events;
    const running = this.#running;
    const rest =
      running === undefined
        ? 0
        : Math.max(0, running.size * this.#pace - (now - running.startedAt));
    return (rest + this.#queuedSize * this.#pace) * MARGIN;
  }

  #next(): void {
    const request = this.#queue[this.#head];
    if (request === undefined) {
      this.#running = undefined;
      return;
    }
    this.#head++;
    if (this.#head > 1000 && this.#head * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    const { size } = request;
    this.#queuedSize -= size;
    const startedAt = this.#events.now;
    this.#running = { size, startedAt };
    const takes = this.#cost(this.id, size, startedAt);
    this.#events.after(takes, () => {
      this.#pace += PACE_WEIGHT * (takes / size - this.#pace);
      if (!request.answered) request.tally.answered(request, this.#events.now);
      request.answered = true;
      this.#next();
    });
  }
}
