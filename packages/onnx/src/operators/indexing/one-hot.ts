/**
 * Adding to places that occur twice, in operator sets whose scatter cannot add: before opset 16, by sums
 * over one-hot rows. That takes as many multiplications as the axis is long, but is right.
 */
import { elementTypeNumber } from '../../tensor/element-type.ts';
import type { GradientGraph } from '../../gradient/rule.ts';
import { isStatic } from '../../infer/size.ts';
import { elementCount, tensor } from '../../tensor/tensor.ts';

/** Operator set since which a scatter can add. */
export const ADDING_SCATTER = 16;

/** 1 where an index names the place and else 0: a new axis of all places, in the type of `like`. */
export function oneHot(
  graph: GradientGraph,
  indices: string,
  places: number,
  axis: number,
  like: string,
): string {
  const depth = graph.constant(tensor('int64', [], BigInt64Array.of(BigInt(places))));
  const pair = graph.constant(tensor('float32', [2], Float32Array.of(0, 1)));
  // ONNX Runtime supports few types of it.
  const found = graph.emit('OneHot', [indices, depth, pair], { axis });
  return graph.emit('Cast', [found], { to: elementTypeNumber(graph.typeOf(like)) });
}

/**
 * Adds rows up in their places.
 * @param indices of as many elements as `updates` has rows.
 * @returns [places, ...row].
 */
export function rowsAdded(
  graph: GradientGraph,
  indices: string,
  updates: string,
  places: number,
  row: readonly number[],
): string {
  const flat = graph.reshape(indices, [-1]);
  const rows = graph.reshape(updates, [-1, elementCount(row)]);
  const sums = graph.emit('MatMul', [oneHot(graph, flat, places, 0, updates), rows]);
  return graph.reshape(sums, [places, ...row]);
}

/** The sizes of a value; a refusal where they are not fixed. */
export function fixedSizes(graph: GradientGraph, name: string): readonly number[] {
  const sizes = graph.shapeOf(name);
  if (isStatic(sizes)) return sizes;
  return graph.fail(
    `adding up what was read twice from '${name}', whose sizes are not fixed, needs opset ${ADDING_SCATTER}; export the model with that or a newer one`,
  );
}
