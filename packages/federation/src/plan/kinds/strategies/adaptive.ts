/** Strategies whose server is an adaptive optimiser (Reddi 2021). */
import { strategyOf } from '@skein/train/federated';
import { z } from 'zod';
import { positive, rate } from '../../terms.ts';
import { strategyKind } from './strategy-kind.ts';

/** The server's rate, β₁, β₂ and τ. */
const options = {
  learningRate: rate.default(0.01),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  tau: positive.default(1e-8),
};

const adaptive = <const N extends 'fedadam' | 'fedyogi' | 'fedadagrad'>(name: N) =>
  strategyKind(name, options, {
    of: ({ learningRate, beta1, beta2, tau }) => ({
      open: ({ denominator }) =>
        strategyOf(name, { denominator, serverRate: learningRate, beta1, beta2, tau }),
    }),
  });

export const fedadam = adaptive('fedadam');
export const fedyogi = adaptive('fedyogi');
export const fedadagrad = adaptive('fedadagrad');
