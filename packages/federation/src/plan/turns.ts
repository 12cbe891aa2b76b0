/**
 * Plans whose rows, or sites, take turns: each is in every n-th round, and the noise of n rounds is correlated (DP-FTRL, see
 * `banded.ts` of `@skein/train`). It is for data that cannot be sampled. Runs in Node and in the browser.
 *
 * Only helpers can add such noise, because none of them may be lost: the noise of one round takes back that of the rounds
 * before. What a helper has given noise for must not be asked for again, so that a round whose masks were asked
 * for is over, whether it had a sum or not.
 */
import type { Plan } from './plan.ts';

/** How many rounds a turn takes; undefined: rows and sites do not take turns. */
export function turnsOf({ privacy }: Pick<Plan, 'privacy'>): number | undefined {
  if (privacy.mode === 'none' || privacy.sampling.kind !== 'bands') return undefined;
  return privacy.sampling.rounds;
}

/** @param number of a row in the file of its site, or of a site. */
export const isTurn = (turns: number, round: number, number: number): boolean =>
  number % turns === round % turns;

/** The number of a site, which it cannot choose freely and all parties know. @param key in hex. */
export const numberOf = (key: string): number => Number.parseInt(key.slice(0, 8), 16);
