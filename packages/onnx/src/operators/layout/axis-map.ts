/**
 * Linear maps along single axes. Pad and Resize are such maps, one after another per axis: Y = M · X
 * with a small matrix M [out, in] that depends on sizes alone. The gradient is Mᵀ · dY: a matrix
 * product, which is exact for every mode, whatever its rounding and borders, and fast for all but
 * very long axes.
 */
import type { GradientGraph } from '../../gradient/rule.ts';
import { elementSize, tensor, type Tensor } from '../../tensor/tensor.ts';

/** Row `o` holds the weight of each input in output `o`: [out][in]. */
export type AxisMatrix = readonly Float64Array[];

/** Applies the transpose of `matrix` along an axis of a gradient. */
export function transposedMap(
  graph: GradientGraph,
  gradient: string,
  axis: number,
  matrix: AxisMatrix,
): string {
  const rank = graph.rankOf(gradient);
  const constant = graph.constant(asTensor(graph, gradient, matrix)); // [out, in]
  if (axis === rank - 1) return graph.emit('MatMul', [gradient, constant]);
  const turned = graph.emit('Transpose', [constant], { perm: [1, 0] });
  if (axis === rank - 2) return graph.emit('MatMul', [turned, gradient]);
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm[axis] = rank - 1;
  perm[rank - 1] = axis;
  const last = graph.emit('Transpose', [gradient], { perm });
  return graph.emit('Transpose', [graph.emit('MatMul', [last, constant])], { perm });
}

function asTensor(graph: GradientGraph, like: string, matrix: AxisMatrix): Tensor {
  const type = graph.typeOf(like);
  if (type !== 'float32' && type !== 'float64') {
    return graph.fail(`its element type is ${type}; float32 and float64 are supported`);
  }
  const columns = matrix[0]?.length ?? 0;
  const flat = new Float64Array(matrix.length * columns);
  matrix.forEach((row, i) => flat.set(row, i * columns));
  const shape = [matrix.length, columns];
  return tensor(type, shape, elementSize(type) === 4 ? Float32Array.from(flat) : flat);
}
