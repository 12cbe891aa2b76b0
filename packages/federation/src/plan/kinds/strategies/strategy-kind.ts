/** The contract of a strategy: its options in a plan, and the rules of server and sites. Runs in Node and in the browser. */
import type { Strategy } from '@skein/train/federated';
import { z } from 'zod';
import type { StatisticsTerms } from '../../../statistics/terms.ts';
import type { Kind } from '../kind.ts';

export interface StrategyContext {
  /** The divisor of sums; absent: the weights of the sites. */
  readonly denominator?: number | undefined;
  /** The sum of the learning rates of a round's steps, which is the same at all sites. */
  readonly distance: number;
  readonly isPrivate: boolean;
}

/** Options of a strategy whose rounds end when a buffer is full. */
export interface BufferTerms {
  /** Updates that end a round. */
  readonly buffer: number;
  /** Most rounds that an update may be behind. */
  readonly staleness: number;
}

export interface StrategyFacts {
  /** @throws RangeError for an option out of its range. */
  readonly open: (context: StrategyContext) => Strategy;
  /** Absent: a round waits for the sites of its roster. */
  readonly buffer?: BufferTerms;
  /** The strategy counts rows, and trains nothing: an update is the counts of a site. */
  readonly counts?: StatisticsTerms;
  /** The moment at which a site sends its update. Default: "In each round". */
  readonly when?: string;
  /** The server moves the model by this times the mean, and by nothing else; absent: by more. */
  readonly meanRate?: number;
}

export interface StrategyKind<Terms extends z.ZodObject = z.ZodObject> extends Kind<
  z.output<Terms>,
  StrategyFacts
> {
  readonly terms: Terms;
}

/** @param options of the strategy in a plan. */
export function strategyKind<const N extends string, T extends z.core.$ZodLooseShape>(
  name: N,
  options: T,
  kind: Omit<StrategyKind<z.ZodObject<T>>, 'name' | 'terms'>,
) {
  const terms = z.strictObject({ name: z.literal(name), ...options });
  return { ...kind, name, terms };
}
