/** Explains why a request was not accepted, with the numbers that decided and the retry time. */
import { SkeinError } from '@skein/api';
import type { Instant, TargetRequest } from '../../contract.ts';
import type { Verdict } from '../policy/admission.ts';
import type { Refusal } from '../policy/scheduler.ts';

export interface RefusalFacts {
  readonly version: string;
  readonly request: TargetRequest;
  readonly now: Instant;
  readonly verdict: Verdict;
  /** Queued requests, of all tenants and of this one. */
  readonly waiting: number;
  readonly tenantWaiting: number;
  /** Estimated run time of this request, in milliseconds: at p99, or at least if its size has not run. */
  readonly runMs: number;
  readonly isExtrapolated: boolean;
  /** Measured runs that the estimate rests on. */
  readonly runs: number;
  /** Why no replica starts, and when that is retried. */
  readonly failed: SkeinError | undefined;
  readonly triesAgainAt: Instant;
}

export function explainRefusal(refusal: Refusal, facts: RefusalFacts): SkeinError {
  const { verdict, now } = facts;
  if (refusal === 'NO_REPLICA' && facts.failed !== undefined) {
    return new SkeinError('NO_REPLICA', facts.failed.message, {
      retryAfterMs: Math.ceil(Math.max(1, facts.triesAgainAt - now)),
    });
  }
  // A retry does not help a request whose deadline is too short for the run alone.
  if (refusal === 'DEADLINE_UNREACHABLE' && verdict.reason === 'alone') {
    return new SkeinError(refusal, messageOf(refusal, facts), { retryAfterMs: Infinity });
  }
  const later = Number.isFinite(verdict.lateMs)
    ? { retryAfterMs: Math.ceil(Math.max(1, verdict.lateMs)) }
    : {};
  return new SkeinError(refusal, messageOf(refusal, facts), later);
}

function messageOf(refusal: Refusal, facts: RefusalFacts): string {
  const { version, request, now, verdict } = facts;
  const name = `version ${version} of "${request.deployment}"`;
  const late = ms(verdict.lateMs);
  if (refusal === 'NO_REPLICA') {
    if (verdict.lateMs === Infinity) return `No replica of ${name} runs, and none is starting.`;
    return `A replica of ${name} is starting, but the answer would be an estimated ${late} ms late.`;
  }
  if (refusal === 'QUEUE_FULL') {
    if (facts.tenantWaiting < facts.waiting) {
      return `${facts.tenantWaiting} of the ${facts.waiting} queued requests of ${name} belong to this tenant, which is its share.`;
    }
    return `${facts.waiting} requests are queued for ${name}, which is the limit.`;
  }
  switch (verdict.reason) {
    case 'alone':
      if (now >= request.deadline) {
        return `The deadline had passed ${ms(now - request.deadline)} ms before the request reached ${name}.`;
      }
      return `A run of ${name} is estimated at ${estimate(facts)}, but the deadline leaves ${ms(request.deadline - now)} ms.`;
    case 'probe':
      return `No request of this size has run on ${name}; another one runs first, to measure what it costs.`;
    case 'promises':
      return `Requests that ${name} has accepted before would be an estimated ${late} ms late.`;
    case 'share':
      return `The queued requests of this tenant for ${name} use up its share of the time until the deadline.`;
    default:
      return `Behind the current runs and ${facts.waiting} queued requests, the answer of ${name} would be an estimated ${late} ms late.`;
  }
}

function estimate({ runMs, isExtrapolated, runs }: RefusalFacts): string {
  const evidence = `${runs} ${runs === 1 ? 'run' : 'runs'} of`;
  return isExtrapolated
    ? `at least ${ms(runMs)} ms, from ${evidence} smaller inputs`
    : `${ms(runMs)} ms at p99, from ${evidence} about this size`;
}

function ms(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}
