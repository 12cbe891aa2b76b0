/**
 * An optimiser's update of many parameters at once, as if they were one long vector: a handful of nodes
 * however many parameters there are, and a rank can update any range of the numbers.
 *
 * This is right because every rule here is element by element. Clipping by norm reads all gradients
 * together; its factor is a number like the total weight, and both are one input, `share`.
 */
import { GraphBuilder, type Model } from '@skein/onnx';
import type { Optimiser } from '../optimisers/optimiser.ts';
import { emitUpdates, type FloatType, type Kept } from '../optimisers/updates.ts';
import { modelError } from '../train-error.ts';

/** Inputs of the graph: vectors [length] of parameters and summed gradients, and the scalar they are multiplied by. */
export const FLAT = 'parameters';
export const SUMS = 'sums';
export const SHARE = 'share';

export interface FlatUpdate {
  readonly model: Model;
  /** The optimiser's state: vectors [length], and the number of the step if it counts. */
  readonly state: readonly Kept[];
}

export interface FlatUpdateOptions {
  readonly optimiser: Optimiser;
  readonly type: FloatType;
  /** Numbers to update, at least 1. */
  readonly length: number;
  /** Largest magnitude of a number of the mean gradient. */
  readonly clipValue?: number | undefined;
}

/** @throws TrainError `model` when the optimiser does not work element by element. */
export function flatUpdate(options: FlatUpdateOptions): FlatUpdate {
  const { optimiser, type, length, clipValue } = options;
  const graph = new GraphBuilder('update');
  const parameter: Kept = { name: FLAT, type, shape: [length] };
  graph.input(FLAT, type, parameter.shape);
  graph.input(SUMS, type, parameter.shape);
  graph.input(SHARE, type, []);
  const [gradient] = graph.node('Mul', [SUMS, SHARE], {}, { name: 'update/mean' });
  const state = emitUpdates(
    graph,
    [{ parameter, gradient }],
    { ...optimiser, begin: (update) => optimiser.begin({ ...update, reduce: refuse(optimiser) }) },
    { clip: clipValue === undefined ? undefined : { value: clipValue } },
  );
  return { model: graph.model(), state };
}

function refuse({ name }: Optimiser): () => never {
  return () => {
    throw modelError(
      `The optimiser ${name} needs whole parameters, which cannot be shared between workers.`,
    );
  };
}
