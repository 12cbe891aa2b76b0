/** Terms that a site demands of a plan before it accepts it. */
import { SkeinError } from '@skein/api/errors';
import { aggregationIn, isPrivate } from '../plan/kinds/choices.ts';
import type { Plan } from '../plan/plan.ts';

export interface Terms {
  /** Largest ε at the plan's δ; a plan without differential privacy has none. */
  readonly maxEpsilon?: number | undefined;
  /** Fewest sites in a sum. */
  readonly minSites?: number | undefined;
  /** Most rounds. */
  readonly maxRounds?: number | undefined;
  /** Whether the coordinator may see this site's update alone. Default: no. */
  readonly allowPlainUpdates?: boolean | undefined;
}

/** @returns one sentence for each term that the plan does not meet. */
export function unmetTerms(plan: Plan, terms: Terms): string[] {
  const { privacy, sites, rounds } = plan;
  const { maxEpsilon, minSites, maxRounds, allowPlainUpdates = false } = terms;
  const hasNoise = isPrivate(privacy);
  const above = (value: number, most: number | undefined) => most !== undefined && value > most;
  const rules: readonly (readonly [boolean, string])[] = [
    [
      aggregationIn(plan).lacks?.hiddenUpdates !== undefined && !allowPlainUpdates,
      'the coordinator would see the update of this site alone',
    ],
    [!hasNoise && maxEpsilon !== undefined, 'the plan has no differential privacy'],
    [
      hasNoise && above(privacy.epsilon, maxEpsilon),
      `ε may reach ${hasNoise ? privacy.epsilon : ''}, more than ${maxEpsilon}`,
    ],
    [
      minSites !== undefined && sites.threshold < minSites,
      `a sum may be of ${sites.threshold} sites, fewer than ${minSites}`,
    ],
    [above(rounds, maxRounds), `it has ${rounds} rounds, more than ${maxRounds}`],
  ];
  return rules.filter(([isUnmet]) => isUnmet).map(([, reason]) => reason);
}

/** @throws SkeinError SITE_TERMS_REFUSED, with every term that is not met. */
export function requireTerms(plan: Plan, terms: Terms): void {
  const unmet = unmetTerms(plan, terms);
  if (unmet.length === 0) return;
  throw new SkeinError('SITE_TERMS_REFUSED', `The plan was not accepted: ${unmet.join('; ')}.`);
}
