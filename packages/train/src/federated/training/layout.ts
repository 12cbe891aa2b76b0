/**
 * Everything that a federation exchanges as one vector: parameters and running statistics, one after
 * the other in the order of the training step. Sites, coordinator and masks see only this vector.
 */
import { values, type NumericTensor } from '@skein/onnx';
import type { Kept } from '../../optimisers/updates.ts';
import { lengthOf, viewsOf } from '../../parallel/numbers.ts';
import type { Tensors } from '../../run/backend.ts';
import type { TrainingStep } from '../../step/training-step.ts';
import { dataError, modelError } from '../../train-error.ts';

export interface Layout {
  readonly kept: readonly Kept[];
  /** Numbers of the vector. */
  readonly length: number;
}

/** @throws TrainError `model` for a model of float64. */
export function layoutOf({
  parameters,
  statistics,
}: Pick<TrainingStep, 'parameters' | 'statistics'>): Layout {
  const kept = [...parameters, ...statistics];
  const wide = kept.find(({ type }) => type !== 'float32');
  if (wide !== undefined) {
    throw modelError(`'${wide.name}' is ${wide.type}; a federation trains float32.`);
  }
  return { kept, length: lengthOf(kept) };
}

/** The tensors of the layout as a vector [length], copied. */
export function flatten({ kept, length }: Layout, tensors: Tensors): Float32Array {
  const vector = new Float32Array(length);
  let at = 0;
  for (const { name } of kept) {
    const found = values(tensors.get(name)!) as Float32Array;
    vector.set(found, at);
    at += found.length;
  }
  return vector;
}

/** The vector as tensors by name, for `withTrained` or `StepSession.load`; views of its memory. */
export function tensorsOf(
  { kept, length }: Layout,
  vector: Float32Array,
): Map<string, NumericTensor> {
  if (vector.length !== length) {
    throw dataError(`A vector of ${vector.length} numbers is not one of ${length}.`);
  }
  return viewsOf(kept, vector);
}
