/** The strategy of a plan, which coordinator and sites derive alike. Runs in Node and in the browser. */
import { strategyOf, type Strategy } from '@skein/train/federated';
import type { Plan } from './plan.ts';

/** The strategy with the options that the plan gives. @throws RangeError for an option out of its range. */
export function strategyOfPlan({ strategy, privacy }: Plan): Strategy {
  const denominator = privacy.mode === 'none' ? {} : { denominator: privacy.denominator };
  const { name, ...options } = strategy;
  const { learningRate, mu, ...adaptive } = { learningRate: undefined, mu: undefined, ...options };
  return strategyOf(name === 'fedsgd' ? 'fedavg' : name, {
    ...denominator,
    ...adaptive,
    ...(learningRate === undefined ? {} : { serverRate: learningRate }),
    ...(mu === undefined ? {} : { proximal: mu }),
  });
}
