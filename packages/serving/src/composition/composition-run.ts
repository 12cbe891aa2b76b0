/**
 * One request of a composition: queued, running in a worker, or settled. It settles exactly once,
 * by an answer, a refusal, its deadline or its client's disconnect, and then cancels its calls.
 */
import type { SkeinError } from '@skein/api';
import { timerMs } from '@skein/api/waits';
import {
  Cancellation,
  type InferenceAnswer,
  type Instant,
  type TargetRequest,
} from '../contract.ts';

export class CompositionRun {
  readonly id: number;
  readonly request: TargetRequest;
  readonly enteredAt: Instant;
  /** Requests in the system when it arrived, itself included. */
  readonly concurrency: number;
  startedAt: Instant = 0;
  /** Number of workers that ended while they ran it. */
  losses = 0;
  /** Aborted when the request is given up while a worker runs it. */
  readonly givenUp = new AbortController();
  readonly #calls = new Set<Cancellation>();
  readonly #resolve: (answer: InferenceAnswer) => void;
  readonly #reject: (error: SkeinError) => void;
  #timer: NodeJS.Timeout | undefined;
  settled = false;

  constructor(
    id: number,
    request: TargetRequest,
    enteredAt: Instant,
    concurrency: number,
    resolve: (answer: InferenceAnswer) => void,
    reject: (error: SkeinError) => void,
  ) {
    this.id = id;
    this.request = request;
    this.enteredAt = enteredAt;
    this.concurrency = concurrency;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Calls back when the deadline passes or the client disconnects, unless it is settled by then. */
  watch(onDeadline: () => void, onCancel: () => void): void {
    this.#timer = setTimeout(onDeadline, timerMs(this.request.deadline - this.enteredAt));
    const { cancellation } = this.request;
    if (cancellation !== undefined) cancellation.onCancel = onCancel;
  }

  /** A cancellation for one call; `endCall` when the call has settled. */
  beginCall(): Cancellation {
    const cancellation = new Cancellation();
    this.#calls.add(cancellation);
    return cancellation;
  }

  endCall(cancellation: Cancellation): void {
    this.#calls.delete(cancellation);
  }

  /** Cancels the calls in flight, for example when their worker has ended. */
  cancelCalls(): void {
    for (const call of this.#calls) call.cancel();
    this.#calls.clear();
  }

  succeed(answer: InferenceAnswer): void {
    if (this.#settle()) this.#resolve(answer);
  }

  fail(error: SkeinError): void {
    if (this.#settle()) this.#reject(error);
  }

  #settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    clearTimeout(this.#timer);
    if (this.request.cancellation !== undefined) this.request.cancellation.onCancel = undefined;
    this.cancelCalls();
    return true;
  }
}
