/**
 * How long recent requests of one model took at one member, as far as that is known. The copy of a
 * hedged request that was cancelled would have taken at least what it had waited: such a time is cut.
 *
 * To leave cut times out, or to take the answer of the second copy for them, moves the quantile that
 * decides about the next hedge. They count as Kaplan and Meier do (JASA 1958): a cut time passes its
 * weight on to the longer ones. No hedge is sent before the quantile, so what is cut lies above it.
 */
export interface AnswerTimes {
  readonly count: number;
  /** @param ms until the answer. */
  answered(ms: number): void;
  /** @param ms until the copy was cancelled. */
  cancelled(ms: number): void;
  /** The time within which this share is answered, in milliseconds; the longest one, if too many are cut; NaN of none. */
  quantile(share: number): number;
}

interface Time {
  readonly ms: number;
  readonly isCut: boolean;
}

/** @param most times that are kept, the newest. */
export function newAnswerTimes(most: number): AnswerTimes {
  const byAge: Time[] = [];
  /** Ascending; of equal ones those that are cut are the longer ones. */
  const sorted: Time[] = [];

  function add(time: Time): void {
    if (byAge.length === most) sorted.splice(sorted.indexOf(byAge.shift()!), 1);
    byAge.push(time);
    const at = sorted.findIndex(({ ms, isCut }) => ms > time.ms || (ms === time.ms && isCut));
    sorted.splice(at < 0 ? sorted.length : at, 0, time);
  }

  return {
    get count() {
      return byAge.length;
    },
    answered: (ms) => add({ ms, isCut: false }),
    cancelled: (ms) => add({ ms, isCut: true }),
    quantile(share) {
      // The tolerance is for sums of fractions.
      const wanted = share * sorted.length - 1e-9;
      let [weight, reached, longer] = [1, 0, sorted.length];
      for (const { ms, isCut } of sorted) {
        longer -= 1;
        if (isCut) weight += weight / longer;
        else reached += weight;
        if (reached >= wanted || longer === 0) return ms;
      }
      return Number.NaN;
    },
  };
}
