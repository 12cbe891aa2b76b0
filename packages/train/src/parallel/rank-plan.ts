/**
 * All data that a rank needs to compute: graphs as bytes and names, so that they can be sent to a
 * thread.
 */
import { writeModel } from '@skein/onnx';
import { requireRange } from '../optimisers/optimiser.ts';
import type { FloatType } from '../optimisers/updates.ts';
import { flatUpdate } from './flat-update.ts';
import type { GradientStep } from './gradient-step.ts';
import { lengthOf } from './numbers.ts';

/** A part of the gradient graph, and the numbers of a step that are final once it has run. */
export interface Stage {
  /** An ONNX file. */
  readonly graph: Uint8Array;
  readonly from: number;
  readonly to: number;
}

export interface RankPlan extends Pick<
  GradientStep,
  'inputs' | 'parameters' | 'statistics' | 'dropouts'
> {
  /** The gradient graph: one stage, or several that are exchanged one by one. */
  readonly stages: readonly Stage[];
  /** The update graph for the range of numbers that this rank updates; absent when that is empty. */
  readonly update?: Uint8Array;
  readonly type: FloatType;
  /** Names of what the optimiser keeps of each number, such as `adam.mean`. */
  readonly slots: readonly string[];
  /** Whether the optimiser counts steps. */
  readonly counts: boolean;
  readonly clipNorm?: number | undefined;
  /** Dropout keys: each rank has its own. */
  readonly seed: number;
}

export interface RankPlanOptions {
  /** Numbers that the rank updates. */
  readonly part: number;
  readonly rank: number;
  readonly seed: number;
  /** Stages of the step, see `stagesOf`. */
  readonly stages: readonly Stage[];
}

/**
 * @throws TrainError `model` when the optimiser does not work element by element.
 * @throws RangeError when clipping or an option of the optimiser is out of its range.
 */
export function rankPlan(
  step: GradientStep,
  { part, rank, seed, stages }: RankPlanOptions,
): RankPlan {
  const { optimiser, clip, lossType: type, parameters, statistics, inputs, dropouts } = step;
  const clipNorm = clip && 'norm' in clip ? clip.norm : undefined;
  if (clipNorm !== undefined) requireRange('clip', clipNorm, Number.MIN_VALUE, Infinity);
  const clipValue = clip && 'value' in clip ? clip.value : undefined;
  const { model } = flatUpdate({ optimiser, type, length: Math.max(part, 1), clipValue });
  return {
    stages,
    ...(part === 0 ? {} : { update: writeModel(model) }),
    type,
    inputs,
    parameters,
    statistics,
    slots: optimiser.slots.map((slot) => `${optimiser.name}.${slot}`),
    counts: optimiser.counts,
    clipNorm,
    dropouts,
    seed: (Math.imul(seed, 0x9e3779b1) ^ Math.imul(rank + 1, 0x85ebca77)) >>> 0,
  };
}

/** Numbers that are trained, in all. */
export function trainedNumbers({ parameters }: Pick<GradientStep, 'parameters'>): number {
  return lengthOf(parameters);
}
