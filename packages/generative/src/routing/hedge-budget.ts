/**
 * How many requests may be sent twice: each request earns a twentieth of a hedge, and a few may be
 * saved up. However slow a provider gets, the hedges cost at most 5 % more.
 */
import { HEDGE_BURST, HEDGE_SHARE } from '../tuning.ts';

export interface HedgeBudget {
  earn(): void;
  /** Spends one, if there is one. */
  spend(): boolean;
}

export function createHedgeBudget(): HedgeBudget {
  let saved = 0;
  return {
    earn() {
      saved = Math.min(HEDGE_BURST, saved + HEDGE_SHARE);
    },
    spend() {
      if (saved < 1 - 1e-9) return false;
      saved -= 1;
      return true;
    },
  };
}
