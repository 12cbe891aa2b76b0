/** A small training for several ranks: two moons, which a perceptron learns to separate. */
import { dataset } from '../../data/dataset.ts';
import { adam } from '../../optimisers/adam.ts';
import type { Optimiser } from '../../optimisers/optimiser.ts';
import { nativeBackend } from '../../run/native-backend.ts';
import { constant } from '../../schedules/schedule.ts';
import { classifier, moons } from '../../testing/models.ts';
import type { TrainOptions } from '../../trainer/trainer.ts';
import { rowsPerRank } from '../batch-part.ts';
import { gradientStep, type GradientStep } from '../gradient-step.ts';

export const moonsPlan: TrainOptions = {
  backend: nativeBackend,
  data: dataset(moons(250, 1)),
  batch: 16,
  mask: 'mask',
  epochs: 20,
  seed: 9,
  schedule: constant(0.01),
};

/** For a number of ranks. */
export function moonsStep(ranks: number, optimiser: Optimiser = adam()): GradientStep {
  const { model, ...loss } = classifier([2, 16, 16, 2], rowsPerRank(moonsPlan.batch, ranks));
  return gradientStep(model, { ...loss, optimiser });
}
