/** `npm run bench -- federation`: what privacy costs in a federation: secure sums, noise, rounds. */
import type { BenchReport } from '../harness/report.ts';
import { measureGroups, type RowGroup, type RowOptions } from '../harness/row-group.ts';
import { COMMITTEE_SUMS } from './committee-sums.ts';
import { COORDINATOR_MEMORY } from './coordinator-memory.ts';
import { HEART } from './heart.ts';
import { PAIRWISE_SUMS } from './pairwise-sums.ts';
import { PRIVATE_STEPS } from './private-steps.ts';
import { SIMULATION } from './simulation.ts';

/** A row is a file in this folder, and an entry here. Quick runs take less than a minute together. */
const GROUPS: readonly RowGroup[] = [
  PAIRWISE_SUMS,
  COMMITTEE_SUMS,
  COORDINATOR_MEMORY,
  PRIVATE_STEPS,
  HEART,
  SIMULATION,
];

export function benchFederation(options: RowOptions): Promise<BenchReport> {
  const peer = 'the same sums and steps without protection';
  return measureGroups({ name: 'federation', peer, groups: GROUPS }, options);
}
