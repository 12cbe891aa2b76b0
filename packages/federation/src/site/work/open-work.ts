/** The work of a site by an accepted plan: its training, and the phases of the plan's aggregation. */
import { SkeinError } from '@skein/api/errors';
import type { Joined } from '../../identity/handshake.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Work } from '../answers.ts';
import { pairwiseWork, type PairwiseOptions } from './pairwise-work.ts';
import { plainWork } from './plain-work.ts';
import { openTraining, type TrainingOptions } from './training.ts';

export interface WorkOptions
  extends Omit<TrainingOptions, 'plan'>, Pick<PairwiseOptions, 'run' | 'keys'> {
  readonly joined: Joined;
}

type Kind = Plan['aggregation']['kind'];

const WORKS: Partial<Record<Kind, (options: PairwiseOptions) => Promise<Work>>> = {
  none: async ({ training }) => plainWork(training),
  pairwise: pairwiseWork,
};

/**
 * @throws SkeinError PLAN_INVALID for an aggregation that this site does not have: it then sends
 *   nothing, rather than less protected numbers. PLAN_CHANGED when the model is not the one of the plan.
 */
export async function openWork({ joined, ...options }: WorkOptions): Promise<Work> {
  const { plan, planDigest } = joined;
  const open = WORKS[plan.aggregation.kind];
  if (open === undefined) {
    throw new SkeinError(
      'PLAN_INVALID',
      `A site takes part in no plan with aggregation ${plan.aggregation.kind}.`,
    );
  }
  const training = await openTraining({ ...options, plan });
  return open({ ...options, plan, planDigest, training });
}
