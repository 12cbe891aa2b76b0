/** The work of a site by an accepted plan: its training, and the phases of the plan's aggregation. */
import { SkeinError } from '@skein/api/errors';
import type { Plan } from '../../plan/plan.ts';
import type { Work } from '../answers.ts';
import { openPlanTraining, type LocalOptions } from './local-training.ts';
import { plainWork } from './plain-work.ts';

type Kind = Plan['aggregation']['kind'];

const WORKS: Partial<Record<Kind, (options: LocalOptions) => Promise<Work>>> = {
  none: async (options) => plainWork(await openPlanTraining(options)),
};

/**
 * @throws SkeinError PLAN_INVALID for protections that this site cannot give: it then sends nothing,
 *   rather than less protected numbers. PLAN_CHANGED when the model is not the one of the plan.
 */
export async function openWork(options: LocalOptions): Promise<Work> {
  const { aggregation, privacy } = options.plan;
  const open = WORKS[aggregation.kind];
  if (open !== undefined && privacy.mode === 'none') return open(options);
  throw new SkeinError(
    'PLAN_INVALID',
    `This version of a site takes part in no plan with aggregation ${aggregation.kind} and privacy ${privacy.mode}.`,
  );
}
