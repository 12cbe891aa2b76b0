/**
 * The times at which requests are sent. An open loop sends at these times whatever the server does:
 * real users do not wait for the answers of other users.
 */
import { seededRandom } from './random.ts';

export type ArrivalKind = 'poisson' | 'constant';

export interface ArrivalPlan {
  readonly kind: ArrivalKind;
  /** Requests per second. */
  readonly rate: number;
  readonly seed: number;
  /** For one of several threads: it sends every `of`-th part, starting with `part` (from 0). */
  readonly share?: { readonly part: number; readonly of: number };
}

/** Gives the next intended send time at each call, in milliseconds from the start; never decreasing. */
export type Arrivals = () => number;

/**
 * Poisson arrivals have exponentially distributed gaps, as independent users have; constant
 * arrivals are evenly spaced.
 */
export function createArrivals(plan: ArrivalPlan): Arrivals {
  const { part, of } = plan.share ?? { part: 0, of: 1 };
  if (!(plan.rate > 0)) throw new RangeError(`The rate must be above zero, not ${plan.rate}.`);
  const gapMs = (1000 / plan.rate) * of;
  if (plan.kind === 'constant') {
    let count = 0;
    return () => (part / of + count++) * gapMs;
  }
  // Parts of a Poisson process at rate / n are independent Poisson processes; their sum has the rate.
  const random = seededRandom(plan.seed * 1009 + part);
  let at = 0;
  return () => {
    at += -Math.log(1 - random()) * gapMs;
    return at;
  };
}
