/** The strategy of a plan, which coordinator and sites derive alike. Runs in Node and in the browser. */
import { strategyOf, type Strategy } from '@skein/train/federated';
import type { Plan } from './plan.ts';

/** The strategy with the options that the plan gives. @throws RangeError for an option out of its range. */
export function strategyOfPlan({ local, strategy, privacy }: Plan): Strategy {
  const denominator = privacy.mode === 'none' ? {} : { denominator: privacy.denominator };
  const { name, ...options } = strategy;
  const { learningRate, mu, ...more } = { learningRate: undefined, mu: undefined, ...options };
  // Their server follows the mean: the age of an update of FedBuff is in it, and the divisor is that of the plan.
  const isMean = name === 'fedsgd' || name === 'fedbuff';
  return strategyOf(isMean ? 'fedavg' : name, {
    ...denominator,
    ...more,
    ...(learningRate === undefined ? {} : { serverRate: learningRate }),
    ...(mu === undefined ? {} : { proximal: mu }),
    ...(name === 'scaffold'
      ? // Noise would add up from round to round in what is corrected.
        { distance: distanceOf(local), uncorrected: privacy.mode !== 'none' }
      : {}),
  });
}

/** The sum of the learning rates of a round's steps, which is the same at all sites of a plan. */
export const distanceOf = ({ steps, learningRate }: Plan['local']): number => steps * learningRate!;
