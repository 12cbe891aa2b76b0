/**
 * The contract of a kind: a strategy, an aggregation, a privacy mode or a sampling, as a plan chooses them.
 *
 * A kind states the guarantees that it needs and those that it cannot give. `check.ts` compares the four kinds of a plan,
 * so that no kind names another. Their words are the terms that a site reads before it accepts.
 */
import type { z } from 'zod';
import type { Collusion, Data, Local, Sites } from '../terms.ts';

/**
 * Reasons by guarantee, each the rest of a sentence about the kind: why it needs the guarantee, or
 * why it cannot give it.
 */
export interface Reasons {
  /** The coordinator reads sums of updates, and no update. */
  readonly hiddenUpdates?: string;
  /** A sum may hold updates of several rounds. */
  readonly lateUpdates?: string;
  /** A site sends all numbers of its update. */
  readonly wholeUpdates?: string;
  /** A site takes more than one step in a round. */
  readonly severalSteps?: string;
  /** Every site that answers is in the sum. */
  readonly everySite?: string;
  /** A repeated round may have other sites than its first sum. */
  readonly otherSites?: string;
  /** A count of rows has noise by what one row adds to it. */
  readonly countedRows?: string;
}
export type Guarantee = keyof Reasons;

/** A guarantee that the options of a kind exclude, and the change of an option that gives it. */
export interface Exclusion {
  readonly why: string;
  readonly fix: string;
}
export type Exclusions = { readonly [G in Guarantee]?: Exclusion };

/** The rest of the plan, as a kind reads it. */
export interface Around {
  readonly sites: z.output<typeof Sites>;
  readonly collusion: z.output<typeof Collusion>;
  readonly local: z.output<typeof Local>;
  readonly data: z.output<typeof Data>;
  /** Numbers of an update. */
  readonly parameters: number;
  /** Whether sums have noise. */
  readonly isPrivate: boolean;
  /** Whether a helper, and not each site, adds the noise. */
  readonly helpers: number;
}

/** A contradiction: whether the plan has it, and its text with the options and the fix. */
export type Rule = readonly [isBroken: boolean, reason: string];

/** Sentences for a site or a helper. */
export interface Words {
  readonly facts: readonly (readonly [term: string, text: string])[];
  /** Data that is sent to the coordinator. */
  readonly leaves: readonly string[];
  /** Data that stays at the site. */
  readonly stays: readonly string[];
  readonly warnings: readonly string[];
}

export interface Reader {
  /** The site as the reader names it: "this site". */
  readonly site: string;
  /** The moment of an update: "In each round". */
  readonly when: string;
  /** The unit that a sampling chooses: "Each row". */
  readonly drawn: string;
}

/** Consequences of the options of a kind. */
export interface Chosen {
  readonly excludes?: (around: Around) => Exclusions;
  readonly rules?: (around: Around) => readonly Rule[];
  readonly words?: (around: Around, reader: Reader) => Partial<Words>;
}

/** @typeParam Facts what coordinator, sites and helpers read of every kind of this sort. */
export interface Kind<Terms, Facts> {
  /** Its name in a plan. */
  readonly name: string;
  readonly needs?: Reasons;
  /** Guarantees that no option gives. */
  readonly lacks?: Reasons;
  of(terms: Terms): Chosen & Facts;
}
