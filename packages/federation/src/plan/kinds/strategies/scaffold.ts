/** SCAFFOLD (Karimireddy 2020): sites correct their drift by control variates, which follow from the sum. */
import { strategyOf } from '@skein/train/federated';
import { rate } from '../../terms.ts';
import { strategyKind } from './strategy-kind.ts';

export const scaffold = strategyKind(
  'scaffold',
  { learningRate: rate.default(1) },
  {
    needs: {
      severalSteps: 'corrects the drift of several steps',
      wholeUpdates: 'begins each round from the whole last update of a site',
    },
    of: ({ learningRate }) => ({
      open: ({ denominator, distance, isPrivate }) =>
        strategyOf('scaffold', {
          denominator,
          serverRate: learningRate,
          distance,
          // Noise would add up from round to round in the correction.
          uncorrected: isPrivate,
        }),
      words: () => ({ stays: ['An estimate of its own gradient, which it keeps between rounds.'] }),
    }),
  },
);
