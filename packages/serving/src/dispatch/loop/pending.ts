/** A request between its arrival and its answer. It is settled once; later outcomes are ignored. */
import { SkeinError } from '@skein/api';
import { RuntimeFailure, withCulprit } from '@skein/runtime';
import type { InferenceAnswer, Instant, TargetRequest } from '../../contract.ts';
import type { Demand } from './request-check.ts';
import type { Tally } from './tally.ts';

export class Pending {
  readonly request: TargetRequest;
  readonly demand: Demand;
  readonly promise: Promise<InferenceAnswer>;
  settled = false;
  /** Number of replicas that were lost while they ran it. */
  losses = 0;
  /** Whether it was the only request in the last lost run. */
  lostAlone = false;
  /** Whether that run exceeded its timeout. */
  overran = false;

  readonly #tally: Tally;
  #resolve!: (answer: InferenceAnswer) => void;
  #reject!: (error: SkeinError) => void;

  constructor(request: TargetRequest, demand: Demand, tally: Tally) {
    this.request = request;
    this.demand = demand;
    this.#tally = tally;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Called when the client disconnects; replaces the previous callback. */
  onCancel(listener: (() => void) | undefined): void {
    const { cancellation } = this.request;
    if (cancellation !== undefined) cancellation.onCancel = listener;
  }

  /** After a deadline that the caller gave, an answer fails as late. */
  answer(answer: InferenceAnswer, now: Instant): void {
    if (now > this.failsAt) return this.expire(now);
    if (this.#settle()) return;
    this.#tally.answer(this.request, answer, now);
    this.#resolve(answer);
  }

  fail(error: SkeinError, now: Instant): void {
    if (this.#settle()) return;
    this.#tally.refuse(this.request, error, now);
    this.#reject(error);
  }

  /** When it fails if it is not answered before. */
  get failsAt(): Instant {
    return this.request.isObjective === true ? Infinity : this.request.deadline;
  }

  /** Its deadline has passed while it ran. */
  expire(now: Instant): void {
    const { id, arrivedAt, deadline } = this.request;
    const allowed = Math.round(deadline - arrivedAt);
    const message = `Request ${id} still ran ${Math.round(now - arrivedAt)} ms after it arrived; its deadline allowed ${allowed} ms.`;
    this.fail(new SkeinError('DEADLINE_EXCEEDED', message), now);
  }

  /** Its deadline cannot be met any more. */
  giveUp(now: Instant): void {
    const message = `Request ${this.request.id} cannot be answered before its deadline any more.`;
    if (this.losses > 0) this.lose(now);
    else this.fail(new SkeinError('DEADLINE_EXCEEDED', message), now);
  }

  lose(now: Instant): void {
    const { losses, lostAlone, overran } = this;
    const { id, arrivedAt } = this.request;
    const times = losses === 1 ? 'once' : `${losses} times`;
    const message = overran
      ? `Request ${id} still ran ${((now - arrivedAt) / 1000).toFixed(1)} s after it arrived, so its replica was ended.`
      : `A replica ended ${times} while it ran request ${id}.`;
    const code = overran ? 'RUN_TIMEOUT' : 'REPLICA_LOST';
    this.fail(new ReplicaLost(code, message, lostAlone ? losses : 0), now);
  }

  /** Its run, in which it was the only request, has failed. */
  failRun(error: unknown, now: Instant): void {
    const { id, inputs } = this.request;
    const failure = error instanceof RuntimeFailure ? error : undefined;
    const cause = { cause: error };
    if (failure?.kind === 'run') {
      const message = withCulprit(failure.message, inputs);
      this.fail(new SkeinError('INPUT_REJECTED', message, cause), now);
    } else if (failure?.kind === 'memory') {
      this.fail(new SkeinError('MODEL_MEMORY', failure.message, cause), now);
    } else {
      this.fail(new SkeinError('INTERNAL', `Request ${id} could not be run.`, cause), now);
    }
  }

  /** @returns whether it was settled before. */
  #settle(): boolean {
    if (this.settled) return true;
    this.settled = true;
    this.onCancel(undefined);
    return false;
  }
}

/** With what is known about the cause. */
export class ReplicaLost extends SkeinError {
  /** Number of replicas that only this request can have ended. */
  readonly ended: number;

  constructor(code: 'REPLICA_LOST' | 'RUN_TIMEOUT', message: string, ended: number) {
    super(code, message);
    this.ended = ended;
  }
}

export function cancelled({ id }: TargetRequest): SkeinError {
  return new SkeinError('CANCELLED', `Request ${id} was cancelled.`);
}
