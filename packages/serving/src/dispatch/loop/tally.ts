/** Counts the outcomes of the requests of a version, and reports them to telemetry. */
import type { ErrorCode, SkeinError } from '@skein/api';
import type {
  InferenceAnswer,
  InferenceRequest,
  Instant,
  ServingObserver,
  TargetRequest,
} from '../../contract.ts';

export class Tally {
  arrivedRequests = 0;
  arrivedRows = 0;
  answered = 0;
  answeredInTime = 0;
  readonly refused: Partial<Record<ErrorCode, number>> = {};

  readonly #observer: ServingObserver;

  constructor(observer: ServingObserver) {
    this.#observer = observer;
  }

  arrive(rows: number): void {
    this.arrivedRequests++;
    this.arrivedRows += rows;
  }

  answer(request: TargetRequest, answer: InferenceAnswer, now: Instant): void {
    this.answered++;
    if (now <= request.deadline) this.answeredInTime++;
    this.#observer.answered(request, answer, now);
  }

  refuse(request: InferenceRequest, error: SkeinError, now: Instant): void {
    this.refused[error.code] = (this.refused[error.code] ?? 0) + 1;
    this.#observer.refused(request, error, now);
  }
}
