/** Strategies whose server follows the mean of the updates. */
import { strategyOf } from '@skein/train/federated';
import { z } from 'zod';
import { rate } from '../../terms.ts';
import { strategyKind } from './strategy-kind.ts';

/** McMahan et al. 2017. */
export const fedavg = strategyKind(
  'fedavg',
  {},
  { of: () => ({ meanRate: 1, open: ({ denominator }) => strategyOf('fedavg', { denominator }) }) },
);

/** One gradient step of all examples together: the sum over sites divided by a public number. */
export const fedsgd = strategyKind(
  'fedsgd',
  { learningRate: rate.default(1) },
  {
    of: ({ learningRate }) => ({
      meanRate: learningRate,
      open: ({ denominator }) => strategyOf('fedavg', { denominator, serverRate: learningRate }),
    }),
  },
);

/** Li et al. 2020: each step is pulled to the global model. */
export const fedprox = strategyKind(
  'fedprox',
  { mu: z.number().min(0).max(1e38).default(0.01) },
  {
    of: ({ mu }) => ({
      open: ({ denominator }) => strategyOf('fedprox', { denominator, proximal: mu }),
    }),
  },
);
