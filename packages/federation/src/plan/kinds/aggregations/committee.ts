/** One message per site and round; a committee of helpers removes the masks of the sum. */
import { z } from 'zod';
import { PlannedHelper } from '../../terms.ts';
import type { Around, Exclusions, Rule } from '../kind.ts';
import {
  type AggregationKind,
  encoded,
  REPEATED,
  secureLeaves,
  secureRules,
  secureTerms,
  shareExcludes,
} from './aggregation-kind.ts';

const terms = z.strictObject(
  {
    kind: z.literal('committee'),
    ...encoded,
    /** A round needs all of them, and stays private while one is honest. */
    helpers: z.array(PlannedHelper).min(2).max(8),
    /**
     * Without differential privacy: a repeated round may have other sites, whose updates the
     * difference of two sums reveals. Absent: helpers refuse it.
     */
    repeatWithOthers: z.literal(true).optional(),
  },
  secureTerms,
);
type Terms = z.output<typeof terms>;

export const committee = {
  name: 'committee',
  terms,
  draft: terms.partial({ range: true }),
  giving: 'input',
  releasing: 'masks',
  isOneMessage: true,
  isTimed: false,
  isChecked: true,
  privacy: 'client',
  of: (own) => ({
    encoding: own,
    helpers: own.helpers,
    excludes: (around) => ({ ...shareExcludes(own), ...cohortExcludes(own, around) }),
    rules: (around) => [...helperRules(own, around), ...secureRules(own, around)],
    words: (around, reader) => ({
      ...secureLeaves(own)(around, reader),
      facts: [
        [
          'aggregation',
          'masks that helpers remove from the sum; neither one of them nor the coordinator reads an update',
        ],
        ...own.helpers.map(
          ({ name, identity }, at) =>
            [at === 0 ? 'helpers' : '', `${name}, key ${identity.slice(0, 32)}…`] as const,
        ),
      ],
      warnings: [
        'If all helpers work together with the coordinator, they can read the update of this site: know at least one of them, and compare its key.',
        ...(own.repeatWithOthers === true && !around.isPrivate ? [REPEATED] : []),
      ],
    }),
  }),
} as const satisfies AggregationKind<typeof terms>;

/** No noise hides the difference of two sums, so helpers hold a repeated round to the sites of its first sum. */
const cohortExcludes = ({ repeatWithOthers }: Terms, { isPrivate }: Around): Exclusions =>
  isPrivate || repeatWithOthers === true
    ? {}
    : {
        otherSites: {
          why: 'holds it to the sites of its first sum without privacy',
          fix: 'set aggregation.repeatWithOthers to true',
        },
      };

function helperRules(
  { helpers, repeatWithOthers }: Terms,
  { collusion, isPrivate }: Around,
): readonly Rule[] {
  const keys = helpers.flatMap(({ identity, sealing }) => [identity, sealing]);
  return [
    [
      new Set(helpers.map(({ name }) => name)).size < helpers.length,
      'aggregation.helpers has a name twice.',
    ],
    [new Set(keys).size < keys.length, 'aggregation.helpers has a key twice.'],
    [
      collusion.helpers !== undefined && collusion.helpers >= helpers.length,
      `collusion.helpers ${collusion.helpers} leaves no honest one of ${helpers.length} helpers.`,
    ],
    [
      isPrivate && repeatWithOthers === true,
      'aggregation.repeatWithOthers is not read with privacy, whose noise protects each sum: leave it out.',
    ],
  ];
}
