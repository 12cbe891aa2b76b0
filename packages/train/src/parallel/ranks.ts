/** One process as a rank: leads or follows in a collective. */
import type { StepSession } from '../step/step-session.ts';
import { modelError } from '../train-error.ts';
import { rowsPerRank } from './batch-part.ts';
import type { Collective } from './collective.ts';
import type { GradientStep } from './gradient-step.ts';
import { follow, lead, type Dealing, type GroupOptions } from './group.ts';
import { BUCKET_BYTES, stagesOf } from './overlap/stage-plan.ts';
import { rankPlan, trainedNumbers, type RankPlan } from './rank-plan.ts';

export interface RankOptions extends Dealing, GroupOptions {}

/**
 * Opens the step session of rank 0, for `train`; its `close` ends the work of all.
 *
 * @param step made of a model for `rowsPerRank(batch, collective.size, accumulate)` rows.
 * @throws TrainError `model` when it is for another number of rows, `data` when rows do not come out even.
 */
export function leadRanks(
  collective: Collective,
  step: GradientStep,
  { data, batch, accumulate, mask, seed, ...options }: RankOptions,
): Promise<StepSession> {
  const dealing: Dealing = { data, batch, accumulate, mask, seed };
  const plan = planFor(collective, step, dealing, options);
  return lead(collective, plan, dealing, { ...options, initial: step.initial });
}

/**
 * Works as a rank other than the leader, until the leader stops.
 * @throws RankLost when a rank is lost.
 */
export function followRanks(
  collective: Collective,
  step: GradientStep,
  { data, batch, accumulate, mask, seed, ...options }: RankOptions,
): Promise<void> {
  const dealing: Dealing = { data, batch, accumulate, mask, seed };
  return follow(collective, planFor(collective, step, dealing, options), dealing, options);
}

/** @throws TrainError as `leadRanks` does. */
export function planFor(
  { rank, size, part, overlap }: Pick<Collective, 'rank' | 'size' | 'part' | 'overlap'>,
  step: GradientStep,
  { batch, accumulate, seed }: Pick<Dealing, 'batch' | 'accumulate' | 'seed'>,
  { local, compression, backend, bucketBytes }: Omit<GroupOptions, 'threads'>,
): RankPlan {
  requireRows(step, rowsPerRank(batch, size, accumulate));
  const length = trainedNumbers(step);
  const [from, to] = local === undefined ? part(length) : [0, length];
  const atOnce =
    overlap === 'none' ||
    local !== undefined ||
    compression !== undefined ||
    backend.openStages === undefined;
  const bucket = bucketBytes ?? (overlap === 'worthwhile' ? BUCKET_BYTES : Infinity);
  const stages = stagesOf(step, atOnce ? Infinity : bucket);
  return rankPlan(step, { part: to - from, rank, seed, stages });
}

function requireRows({ inputs }: Pick<GradientStep, 'inputs'>, rows: number): void {
  for (const { name, shape } of inputs) {
    const found = shape[0];
    if (typeof found === 'number' && found !== rows) {
      throw modelError(
        `Input '${name}' takes ${found} rows, but each run is given ${rows} of a batch.`,
      );
    }
  }
}
