/** Pairwise masks against a malicious server (Bonawitz 2017): 2 to 255 sites, on a ring above 64. */
import { z } from 'zod';
import {
  type AggregationKind,
  encoded,
  REPEATED,
  secureLeaves,
  secureRules,
  secureTerms,
  shareExcludes,
  withoutHelpers,
} from './aggregation-kind.ts';

const terms = z.strictObject({ kind: z.literal('pairwise'), ...encoded }, secureTerms);

export const pairwise = {
  name: 'pairwise',
  terms,
  draft: terms.partial({ range: true }),
  giving: 'input',
  releasing: 'input',
  isOneMessage: false,
  isTimed: true,
  isChecked: false,
  privacy: 'patient',
  lacks: { lateUpdates: 'has masks that cancel only between sites of the same round' },
  of: (own) => ({
    encoding: own,
    helpers: [],
    excludes: () => shareExcludes(own),
    rules: (around) => [
      [
        around.sites.threshold <= around.sites.minimum / 2,
        'sites.threshold is not above half of sites.minimum: a server could ask two halves for different sums.',
      ],
      [
        around.sites.maximum > 255,
        'sites.maximum is above 255, the most that pairwise aggregation shares secrets among.',
      ],
      withoutHelpers(around),
      ...secureRules(own, around),
    ],
    words: (around, reader) => ({
      ...secureLeaves(own)(around, reader),
      facts: [['aggregation', 'pairwise masks; the coordinator reads only the sum over sites']],
      warnings: around.isPrivate ? [] : [REPEATED],
    }),
  }),
} as const satisfies AggregationKind<typeof terms>;
