/** The aggregation of each kind of plan. */
import type { Plan } from '../../plan/plan.ts';
import type { Aggregation } from './aggregator.ts';
import { openCommittee } from './committee.ts';
import { openPairwise } from './pairwise.ts';
import { openPlain } from './plain.ts';

const AGGREGATIONS: Readonly<Record<Plan['aggregation']['kind'], Aggregation>> = {
  none: { phases: ['train'], training: ['train'], open: openPlain },
  pairwise: {
    phases: ['keys', 'shares', 'input', 'consistency', 'unmasking'],
    training: ['input'],
    open: openPairwise,
  },
  committee: {
    phases: ['input', 'seeds', 'masks'],
    training: ['input'],
    open: openCommittee,
  },
};

export function aggregationOf({ aggregation }: Plan): Aggregation {
  return AGGREGATIONS[aggregation.kind];
}
