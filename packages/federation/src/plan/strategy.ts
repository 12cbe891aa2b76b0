/** The strategy of a plan, which coordinator and sites derive alike. Runs in Node and in the browser. */
import type { Strategy } from '@skein/train/federated';
import { isPrivate, strategyIn } from './kinds/choices.ts';
import type { Plan } from './plan.ts';

/** The strategy with the options that the plan gives. @throws RangeError for an option out of its range. */
export function strategyOfPlan(plan: Plan): Strategy {
  const { local, privacy } = plan;
  return strategyIn(plan).open({
    denominator: isPrivate(privacy) ? privacy.denominator : undefined,
    distance: distanceOf(local),
    isPrivate: isPrivate(privacy),
  });
}

/** The sum of the learning rates of a round's steps, which is the same at all sites of a plan. */
export const distanceOf = ({ steps, learningRate }: Plan['local']): number => steps * learningRate!;
