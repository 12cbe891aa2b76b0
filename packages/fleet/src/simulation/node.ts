/**
 * A simulated node: one replica that runs requests in the order of their arrival, and an estimate of
 * what they cost. It knows the size of a request and the pace of its own recent runs, as the
 * dispatcher does, and not how long the next run really takes.
 */
import type { Events, Time } from './events.ts';

export interface SimRequest {
  readonly arrivedAt: Time;
  readonly deadline: Time;
  /** Milliseconds at full speed. */
  readonly size: number;
  readonly tally: Tally;
  hasRun: boolean;
  answered: boolean;
}

/** What is counted of requests. The requests themselves are not kept: a simulation has millions. */
export class Tally {
  requests = 0;
  inTime = 0;
  /** Nodes that were asked or tried, beyond the one that a request reached. */
  messages = 0;
  /** Requests that ran. */
  ran = 0;
  /** Runs that were started: more than one of a request where a hedge has run too. */
  runs = 0;
  /** Of the answered requests, from arrival, in milliseconds. */
  readonly latencies: number[] = [];

  answered({ arrivedAt, deadline }: SimRequest, now: Time): void {
    this.latencies.push(now - arrivedAt);
    if (now <= deadline) this.inTime++;
  }
}

/** A request in the queue of a node. */
export interface SimCopy {
  readonly request: SimRequest;
  state: 'waiting' | 'running' | 'over';
  /** Called when its run begins. */
  onStart?: () => void;
  /** Called with its answer. */
  onAnswer?: () => void;
}

/** Weight of the last run in the estimated pace. */
const PACE_WEIGHT = 0.1;
/** What the estimate is multiplied by: runs vary, and an accepted request is a promise. */
const MARGIN = 1.1;

export class SimNode {
  readonly id: number;
  readonly #events: Events;
  /** Milliseconds that a run takes here, for a size, at a time. */
  readonly #cost: (node: number, size: number, now: Time) => number;
  readonly #queue: SimCopy[] = [];
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

  /** Takes the request, whatever the estimate says. */
  take(request: SimRequest, events: Pick<SimCopy, 'onStart' | 'onAnswer'> = {}): SimCopy {
    const copy: SimCopy = { request, state: 'waiting', ...events };
    this.#queue.push(copy);
    this.#queuedSize += request.size;
    if (this.#running === undefined) this.#next();
    return copy;
  }

  /** A copy that waits is not run; one that runs is. @returns whether it waited. */
  cancel(copy: SimCopy): boolean {
    if (copy.state !== 'waiting') return false;
    copy.state = 'over';
    this.#queuedSize -= copy.request.size;
    return true;
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
    let copy = this.#queue[this.#head];
    while (copy?.state === 'over') copy = this.#queue[++this.#head];
    if (copy === undefined) {
      this.#running = undefined;
      return;
    }
    const { request } = copy;
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
    copy.state = 'running';
    request.tally.runs++;
    if (!request.hasRun) request.tally.ran++;
    request.hasRun = true;
    this.#events.after(takes, () => {
      this.#pace += PACE_WEIGHT * (takes / size - this.#pace);
      copy.state = 'over';
      if (!request.answered) request.tally.answered(request, this.#events.now);
      request.answered = true;
      copy.onAnswer?.();
      this.#next();
    });
    copy.onStart?.();
  }
}
