/** The modes of differential privacy. `patient` hides one row, `client` all rows of one site. */
import { z } from 'zod';
import { positive } from '../terms.ts';
import type { Around, Kind, Reader, Rule, Words } from './kind.ts';
import { termsOf } from './registry.ts';
import { SAMPLINGS } from './samplings.ts';

const noisy = {
  /** Bound on the L2 norm of the part of one row, or of one site, in the sum. */
  clip: positive.default(1),
  /** Standard deviation of the noise in the sum over `clip`. Absent in a draft: fits the budget. */
  noise: positive,
  epsilon: positive.default(1),
  delta: z.number().gt(0).lt(1).default(1e-3),
  sampling: z.discriminatedUnion('kind', termsOf(SAMPLINGS)).default({ kind: 'all' }),
  /** The divisor of the sum: public and fixed, never the number of rows that took part. */
  denominator: positive,
};
type Noisy = Pick<z.output<z.ZodObject<typeof noisy>>, 'epsilon' | 'delta'>;

export interface PrivacyFacts {
  /** The hidden unit and the budget, as the rest of a sentence; absent without a promise. */
  readonly promise?: (site: string) => string;
}

export interface PrivacyKind<Terms extends z.ZodObject = z.ZodObject> extends Kind<
  z.output<Terms>,
  PrivacyFacts
> {
  readonly terms: Terms;
  /** The terms in a draft, which `completePlan` fills in. */
  readonly draft: z.ZodObject;
  readonly hides: 'row' | 'site' | 'nothing';
  /** The unit that a sampling chooses, as a sentence begins with it. */
  readonly drawn: string;
  /** Denominator that follows from the sites of a sum on average; absent: the draft names it. */
  readonly denominator?: (sites: number) => number;
  /** Bound on a number of an update, which has the norm `clip` per row or per site. */
  readonly range: (clip: number, denominator: number) => number;
}

/** The rules of both modes with noise. */
const noiseRules = ({ collusion, data, sites }: Around): readonly Rule[] => [
  [
    collusion.sites >= sites.threshold,
    'collusion.sites leaves no honest site below sites.threshold.',
  ],
  [
    data.scaling === 'site',
    'data.scaling site voids the promise of differential privacy: give public ranges, or privacy none.',
  ],
];

/** The rule of all modes in which a site takes steps of its own. */
const rateRule = ({ local }: Around): Rule => [
  local.learningRate === undefined,
  'local.learningRate is missing.',
];

const budget = ({ epsilon, delta }: Noisy): string => `ε ≤ ${epsilon} at δ = ${delta}`;

function noiseWords(
  own: Noisy,
  unit: string,
  { collusion, helpers }: Around,
): Pick<Words, 'facts' | 'leaves' | 'warnings'> {
  const colluding = helpers === 0 ? collusion.sites : (collusion.helpers ?? 0);
  const others = helpers === 0 ? 'other sites' : `${helpers} helpers`;
  const verb = colluding === 1 ? 'colludes' : 'collude';
  return {
    facts: [
      [
        'privacy',
        `hides ${unit}: ${budget(own)}, also if ${colluding} of the ${others} ${verb} with the coordinator`,
      ],
    ],
    leaves: [
      `Noise is in that sum${helpers === 0 ? '' : ', of every helper'}: all rounds together reveal little about ${unit} (${budget(own)}).`,
    ],
    warnings:
      helpers === 0 && collusion.sites === 0
        ? [
            `Each other site can subtract its own share of the noise, and may learn more of this site's rows than ε = ${own.epsilon} allows.`,
          ]
        : [],
  };
}

const needs = { hiddenUpdates: 'splits its noise over the sites or the helpers' };
const absent = { noise: true, denominator: true } as const;

const byRow = z.strictObject({ mode: z.literal('patient'), ...noisy });
const patient = {
  name: 'patient',
  terms: byRow,
  draft: byRow.partial(absent),
  hides: 'row',
  drawn: 'Each row',
  range: (clip, denominator) => clip * denominator,
  needs,
  lacks: { severalSteps: 'lets a site take one' },
  of: (own) => ({
    promise: () => `any one row (${budget(own)})`,
    rules: (around) => [
      ...noiseRules(around),
      [
        around.local.steps !== 1,
        'local.steps must be 1 with privacy patient: each step adds its noise to the sum of all sites.',
      ],
      [
        around.local.batch !== undefined,
        'local.batch is not read with privacy patient, where privacy.sampling chooses the rows of the one step: leave it out.',
      ],
      [
        around.local.learningRate !== undefined,
        'local.learningRate is not read with privacy patient, where sites send sums of gradients: give strategy fedsgd its learningRate instead.',
      ],
    ],
    words: (around) => noiseWords(own, 'any one row', around),
  }),
} as const satisfies PrivacyKind<typeof byRow>;

const bySite = z.strictObject({ mode: z.literal('client'), ...noisy });
const client = {
  name: 'client',
  terms: bySite,
  draft: bySite.partial(absent),
  hides: 'site',
  drawn: 'This site',
  denominator: (sites) => sites,
  range: (clip) => clip,
  needs,
  lacks: { countedRows: 'clips the rows of a site together' },
  of: (own) => ({
    promise: (site) => `all rows of ${site} (${budget(own)})`,
    rules: (around) => [...noiseRules(around), rateRule(around)],
    words: (around, { site }: Reader) => noiseWords(own, `all rows of ${site}`, around),
  }),
} as const satisfies PrivacyKind<typeof bySite>;

const ofNone = z.strictObject({ mode: z.literal('none') });
const none = {
  name: 'none',
  terms: ofNone,
  draft: ofNone,
  hides: 'nothing',
  drawn: 'Each row',
  range: () => 1,
  lacks: { countedRows: 'adds no noise to a count' },
  of: () => ({
    rules: (around) => [rateRule(around)],
    words: ({ sites }) => ({
      facts: [['privacy', 'none']],
      leaves: ['Inside it, the number of rows of this site.'],
      warnings: [
        ...(sites.threshold === 2
          ? ['A sum may hold two sites. Each can then compute the update of the other.']
          : []),
        'There is no differential privacy: the model may remember single rows.',
      ],
    }),
  }),
} as const satisfies PrivacyKind<typeof ofNone>;

export const PRIVACIES = [patient, client, none] as const;
