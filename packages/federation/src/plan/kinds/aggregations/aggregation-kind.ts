/** The contract of an aggregation, and the terms of sums that hide updates. Runs in Node and in the browser. */
import type { RobustRule } from '@skein/train/federated';
import { z } from 'zod';
import { count, type PlannedHelper, positive } from '../../terms.ts';
import type { Around, Chosen, Exclusions, Kind, Rule, Words } from '../kind.ts';

/** Bits of a quantised number; the secure sum adds those that its carries need. */
export const encoded = {
  bits: z.union([z.literal(8), z.literal(16)]).default(16),
  /** Numbers of an update are clipped to ±range before they become integers. */
  range: positive,
  /** The most rows of a site, by which updates are weighted; absent with privacy. */
  mostRows: count.max(1e9).optional(),
  /**
   * Part of the numbers that sites send in an attempt (rand-k), drawn anew from the digest of the plan. It is the same
   * for all sites, so that it reveals nothing of their rows. Absent: all.
   */
  share: z.number().gt(0).lt(1).optional(),
};
export type Encoded = z.output<z.ZodObject<typeof encoded>>;

/** A masked sum has no top-k, which trainings have in `compression`. */
export const secureTerms = {
  error: ({ code, keys }: { readonly code?: string; readonly keys?: readonly string[] }) =>
    code === 'unrecognized_keys' &&
    keys?.some((key) => /^(compression|top.?k)$/i.test(key)) === true
      ? 'A masked sum is compressed by "bits" and "share" (rand-k): the places of the largest numbers, which top-k sends, would reveal the rows of a site'
      : undefined,
};

export interface AggregationFacts {
  /** Absent: the coordinator reads each update. */
  readonly encoding?: Encoded;
  readonly helpers: readonly PlannedHelper[];
  /** Rule that replaces the mean where sites may be dishonest. */
  readonly robust?: RobustRule;
}

export interface AggregationKind<Terms extends z.ZodObject = z.ZodObject> extends Kind<
  z.output<Terms>,
  AggregationFacts
> {
  readonly terms: Terms;
  /** The terms in a draft, which `completePlan` fills in. */
  readonly draft: z.ZodObject;
  /** The phase in which a site gives its part of a sum. */
  readonly giving: string;
  /**
   * The phase in which the last parts of a sum are given. An attempt counts as a release from there on, also when it is aborted:
   * no party can exclude that the coordinator has the other parts.
   */
  readonly releasing: string;
  /**
   * Whether a site sends one message a round and may leave after it. Such sites are many: one that is away longer than
   * `deadlines.phaseMs` is not waited for, and only helpers receive the ledger as it grows.
   */
  readonly isOneMessage: boolean;
  /** Whether the time of an answer could reveal something that noise hides. */
  readonly isTimed: boolean;
  /** Whether a false answer shows in the sum alone. */
  readonly isChecked: boolean;
  /** The mode of a draft without privacy. */
  readonly privacy: 'patient' | 'client';
}

/** The rules of every sum that hides updates. */
export function secureRules({ mostRows }: Encoded, { isPrivate }: Around): readonly Rule[] {
  return [
    [
      isPrivate && mostRows !== undefined,
      'aggregation.mostRows is not read with privacy, where privacy.denominator divides the sum: leave it out.',
    ],
    [!isPrivate && mostRows === undefined, 'aggregation.mostRows is missing.'],
  ];
}

export const withoutHelpers = ({ collusion }: Around): Rule => [
  collusion.helpers !== undefined,
  'collusion.helpers needs aggregation committee, which has helpers: leave it out.',
];

/** Guarantees that a share of the numbers excludes. */
export const shareExcludes = ({ share }: Encoded): Exclusions =>
  share === undefined
    ? {}
    : { wholeUpdates: { why: 'sends a part of it', fix: 'leave out aggregation.share' } };

export const secureLeaves =
  ({ share }: Encoded): NonNullable<Chosen['words']> =>
  ({ parameters, sites }, { when }): Pick<Words, 'leaves'> => {
    const numbers = parameters.toLocaleString('en');
    const sent = share === undefined ? numbers : `${+(100 * share).toPrecision(3)} % of ${numbers}`;
    return {
      leaves: [
        `${when} ${sent} masked numbers, which look random one by one. Only their sum over at least ${sites.threshold} sites can be read.`,
      ],
    };
  };

/** A coordinator that repeats a round without a site reads its update off the difference. */
export const REPEATED =
  'Without noise, two sums of nearly the same sites differ by the update of one: a coordinator that repeats a round without this site can read it.';
