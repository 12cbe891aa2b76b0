/**
 * Gradient clipping, between the gradient and the optimiser.
 *
 * By norm, all gradients are scaled by `min(1, norm / (‖g‖ + 10⁻⁶))`, where ‖g‖ is the norm of all of
 * them together, so that the direction stays: Pascanu, Mikolov and Bengio, "On the difficulty of
 * training recurrent neural networks" (ICML 2013), in PyTorch's form.
 */
import { requireRange, type UpdateGraph } from './optimiser.ts';

export type Clipping =
  /** Every element of every gradient into [−value, value]. */
  | { readonly value: number }
  /** Norm of all gradients together. */
  | { readonly norm: number };

/**
 * Writes the clipping; returns the clipped gradients' names, in order.
 * @throws RangeError when the bound is not above 0.
 */
export function clipGradients(
  graph: UpdateGraph,
  gradients: readonly string[],
  clipping: Clipping,
): readonly string[] {
  const bound = 'value' in clipping ? clipping.value : clipping.norm;
  requireRange('clip', bound, Number.MIN_VALUE, Infinity);
  if ('value' in clipping) {
    const low = graph.scalar(-bound);
    const high = graph.scalar(bound);
    return gradients.map((gradient) => graph.emit('Clip', gradient, low, high));
  }
  const squares = gradients.map((gradient) => graph.reduce('ReduceSumSquare', gradient));
  const norm = graph.emit('Sqrt', graph.emit('Sum', ...squares));
  const guarded = graph.emit('Add', norm, graph.scalar(1e-6));
  const wanted = graph.emit('Div', graph.scalar(bound), guarded);
  const scale = graph.emit('Min', wanted, graph.scalar(1));
  return gradients.map((gradient) => graph.emit('Mul', gradient, scale));
}
