/** How many sites a phase needs. */
import { SkeinError } from '@skein/api/errors';
import type { AttemptContext } from './aggregator.ts';

/** The threshold of the plan, or all of a smaller roster, as where sites train one after the other. */
export function leastSites({ plan, roster }: Pick<AttemptContext, 'plan' | 'roster'>): number {
  return Math.min(plan.sites.threshold, roster.length);
}

/** @throws SkeinError SITES_MISSING. */
export function requireAnswers(phase: string, answered: number, needed: number): void {
  if (answered >= needed) return;
  throw new SkeinError(
    'SITES_MISSING',
    `${answered} sites answered phase ${phase}; the threshold is ${needed}.`,
  );
}
