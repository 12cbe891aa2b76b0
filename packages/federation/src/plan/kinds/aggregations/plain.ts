/** A plain sum: the coordinator reads each update, and the plan has to state it. */
import { fewestUpdates } from '@skein/train/federated';
import { z } from 'zod';
import { count, positive } from '../../terms.ts';
import { type AggregationKind, withoutHelpers } from './aggregation-kind.ts';

/** See `RobustRule` of `@skein/train/federated`. */
const Robust = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('median') }),
  z.strictObject({ name: z.literal('trimmed-mean'), dishonest: count }),
  z.strictObject({ name: z.literal('krum'), dishonest: count }),
  z.strictObject({ name: z.literal('norm-bound'), norm: positive }),
]);

const terms = z.strictObject({
  kind: z.literal('none'),
  coordinatorSeesUpdates: z.literal(true),
  /** Rule that replaces the mean by rows, where sites may be dishonest. */
  robust: Robust.optional(),
});

export const plain = {
  name: 'none',
  terms,
  draft: terms,
  giving: 'train',
  releasing: 'train',
  isOneMessage: false,
  isTimed: false,
  isChecked: false,
  privacy: 'patient',
  lacks: {
    hiddenUpdates: 'shows each update to the coordinator',
    lateUpdates: 'takes the updates of one round',
  },
  of: ({ robust }) => ({
    helpers: [],
    ...(robust === undefined ? {} : { robust }),
    rules: (around) => [
      withoutHelpers(around),
      [
        robust !== undefined && around.sites.threshold < fewestUpdates(robust),
        `aggregation.robust ${robust?.name} needs the updates of ${robust && fewestUpdates(robust)} sites, and sites.threshold is ${around.sites.threshold}.`,
      ],
    ],
    words: ({ parameters }, { when }) => ({
      facts: [
        [
          'aggregation',
          `none: the coordinator reads each update${robust === undefined ? '' : `, and takes their ${robust.name}`}`,
        ],
      ],
      leaves: [
        `${when} the change of ${parameters.toLocaleString('en')} numbers by training, readable by the coordinator.`,
      ],
      warnings: ['The coordinator sees the update of this site alone.'],
    }),
  }),
} as const satisfies AggregationKind<typeof terms>;
