/**
 * How the rows of a step, or the sites of a sum, are chosen. A site tosses its own coin. One that is not chosen sends
 * zeros under its masks, so that no other party learns the chosen sites.
 */
import { z } from 'zod';
import type { Kind } from './kind.ts';

export interface SamplingFacts {
  /** The part of rows, or of sites, that is chosen on average. */
  readonly rate: number;
}
export interface SamplingKind<Terms extends z.ZodObject = z.ZodObject> extends Kind<
  z.output<Terms>,
  SamplingFacts
> {
  readonly terms: Terms;
}

const ofAll = z.strictObject({ kind: z.literal('all') });
const all = {
  name: 'all',
  terms: ofAll,
  of: () => ({ rate: 1 }),
} as const satisfies SamplingKind<typeof ofAll>;

const byCoin = z.strictObject({ kind: z.literal('poisson'), rate: z.number().gt(0).max(1) });
const poisson = {
  name: 'poisson',
  terms: byCoin,
  lacks: { everySite: 'chooses the sites of each sum by a secret coin' },
  of: ({ rate }) => ({
    rate,
    words: (_, { drawn }) => ({
      leaves: [
        `${drawn} is in the sum of a round with a probability of ${+(100 * rate).toPrecision(3)} %, drawn here and never sent.`,
      ],
    }),
  }),
} as const satisfies SamplingKind<typeof byCoin>;

export const SAMPLINGS = [all, poisson] as const;
