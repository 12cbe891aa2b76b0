/**
 * RMSprop: the gradient over the root of a running average of its square, `p ← p − η g / (√s + ε)`,
 * with momentum `b ← μb + g / (√s + ε)` if wanted.
 *
 * The average is kept as `S = s / (1 − α)`, so `√s + ε = √(1 − α) · (√S + ε / √(1 − α))`.
 *
 * Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5 (2012), in PyTorch's form.
 */
import { requireRange, withDecay, type Optimiser } from './optimiser.ts';

export interface RmspropOptions {
  /** Decay α of the average squared gradient, in [0, 1); default 0.99. */
  readonly alpha?: number;
  /** μ in [0, 1); default 0. */
  readonly momentum?: number;
  /** Added to the root; default 1e-8. */
  readonly epsilon?: number;
  /** L2 penalty; default 0. */
  readonly weightDecay?: number;
}

/** @throws RangeError when an option is out of its range. */
export function rmsprop(options: RmspropOptions = {}): Optimiser {
  const { alpha = 0.99, momentum = 0, epsilon = 1e-8, weightDecay = 0 } = options;
  requireRange('alpha', alpha, 0, 1);
  requireRange('momentum', momentum, 0, 1);
  requireRange('epsilon', epsilon, 0, Infinity);
  requireRange('weightDecay', weightDecay, 0, Infinity);
  const k = Math.sqrt(1 - alpha);
  return {
    name: 'rmsprop',
    options: { alpha, momentum, epsilon, weightDecay },
    slots: momentum === 0 ? ['variance'] : ['variance', 'velocity'],
    counts: false,
    begin: (graph) => {
      const { emit, scalar } = graph;
      const pace = emit('Mul', graph.learningRate, scalar(1 / k));
      return (parameter, gradient, [variance, velocity]) => {
        const slope = withDecay(graph, parameter, gradient, weightDecay);
        const second = emit(
          'Add',
          emit('Mul', variance!, scalar(alpha)),
          emit('Mul', slope, slope),
        );
        const root = emit('Add', emit('Sqrt', second), scalar(epsilon / k));
        const direction = emit('Div', slope, root);
        const move = (along: string) => emit('Sub', parameter, emit('Mul', along, pace));
        if (velocity === undefined) return { parameter: move(direction), state: [second] };
        // The velocity, too, is kept k times its published size.
        const along = emit('Add', emit('Mul', velocity, scalar(momentum)), direction);
        return { parameter: move(along), state: [second, along] };
      };
    },
  };
}
