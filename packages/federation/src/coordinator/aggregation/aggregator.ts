/**
 * How the answers of one attempt become a sum: one contract, an implementation for each aggregation
 * of a plan. An aggregator is a function of the answers in the order of their phases, so that a
 * coordinator that was killed makes it again from those that it had stored.
 */
import { SkeinError } from '@skein/api/errors';
import type { Plan } from '../../plan/plan.ts';
import type { AnswerRecord } from '../../store/federation-store.ts';
import type { Payload } from '../../transport/chunks.ts';
import type { MessageOf } from '../../transport/messages.ts';
import { openPairwise } from './pairwise.ts';
import { openPlain } from './plain.ts';

export interface AttemptContext {
  readonly run: string;
  readonly plan: Plan;
  readonly planDigest: string;
  readonly round: number;
  readonly attempt: number;
  /** Keys of the sites, sorted. */
  readonly roster: readonly string[];
  /** What sites train from, float32; [vectors × parameters]. */
  readonly broadcast: Uint8Array<ArrayBuffer>;
}

export interface Task {
  readonly fields: MessageOf<'task'>['fields'];
  readonly payload?: Uint8Array<ArrayBuffer> | undefined;
}

export interface RoundSum {
  /** Σ weight · update over the survivors, [vectors × parameters]. */
  readonly sum: Float64Array;
  /** Σ weight. */
  readonly weight: number;
  /** Keys of the sites whose updates are in it. */
  readonly survivors: readonly string[];
}

export interface Aggregator {
  /** Keys of the sites that are to answer the present phase. */
  expected(): readonly string[];
  /** What a site is asked in the present phase. */
  task(site: string): Task;
  /** @throws SkeinError ANSWER_INVALID and others; nothing has changed then. */
  accept(
    answer: Pick<AnswerRecord, 'site' | 'fields'>,
    payload: Payload | undefined,
  ): Promise<void>;
  /** Ends the present phase; sites that have not answered have dropped out. @throws SkeinError if too few are left. */
  close(): Promise<void>;
  /** After the last phase was closed; once. */
  sum(): Promise<RoundSum>;
}

interface Aggregation {
  readonly phases: readonly string[];
  /** Phases in which sites train, which take longer. */
  readonly training: readonly string[];
  open(context: AttemptContext): Promise<Aggregator>;
}

const AGGREGATIONS: Readonly<Partial<Record<Plan['aggregation']['kind'], Aggregation>>> = {
  none: { phases: ['train'], training: ['train'], open: openPlain },
  pairwise: {
    phases: ['keys', 'shares', 'input', 'consistency', 'unmasking'],
    training: ['input'],
    open: openPairwise,
  },
};

/** @throws SkeinError PLAN_INVALID for one that this coordinator does not conduct. */
export function aggregationOf({ aggregation }: Plan): Aggregation {
  const found = AGGREGATIONS[aggregation.kind];
  if (found !== undefined) return found;
  throw new SkeinError(
    'PLAN_INVALID',
    `The plan is refused: this coordinator has no aggregation ${aggregation.kind}; use ${Object.keys(AGGREGATIONS).join(' or ')}.`,
  );
}
