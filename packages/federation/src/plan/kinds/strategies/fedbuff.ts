/**
 * FedBuff (Nguyen 2022): a round ends when `buffer` updates are in, so that no round waits for a slow site. An update may be
 * from the parameters of up to `staleness` rounds ago, and counts less by its age.
 */
import { strategyOf } from '@skein/train/federated';
import { z } from 'zod';
import { rate } from '../../terms.ts';
import { strategyKind } from './strategy-kind.ts';

export const fedbuff = strategyKind(
  'fedbuff',
  {
    buffer: z.int().min(2).max(10_000),
    staleness: z.int().min(0).max(1000).default(10),
    learningRate: rate.default(1),
  },
  {
    needs: {
      lateUpdates: 'sums the updates that are ready, of several rounds',
      everySite: 'sums the fastest sites and may mask one update for a second sum',
      otherSites: 'repeats a round with the sites that are ready then',
    },
    of: ({ buffer, staleness, learningRate }) => ({
      buffer: { buffer, staleness },
      when: 'When it is ready',
      // The age of an update is in the mean already, and the divisor is the denominator of the plan.
      open: ({ denominator }) => strategyOf('fedavg', { denominator, serverRate: learningRate }),
      rules: ({ sites }) => [
        [
          buffer < sites.threshold,
          `strategy.buffer ${buffer} is below sites.threshold ${sites.threshold}: no full buffer would be a sum.`,
        ],
        [
          buffer > sites.minimum,
          `strategy.buffer ${buffer} is above sites.minimum ${sites.minimum}: a round may begin with fewer sites, and each gives it one update.`,
        ],
      ],
      words: ({ isPrivate }) => ({
        facts: [
          [
            'buffer',
            `a round ends with ${buffer} updates; one may be of the model of up to ${staleness} rounds ago, and counts less then`,
          ],
        ],
        leaves: ['How many rounds ago it was sent the model from which it trained.'],
        warnings: isPrivate
          ? []
          : [
              'Without noise, a coordinator can have the other sites of a sum train from a made-up model of another round, in which they learn nothing: the sum is the update of this site.',
            ],
      }),
    }),
  },
);
