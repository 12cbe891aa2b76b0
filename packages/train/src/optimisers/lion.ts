/**
 * Lion: a step of exactly the learning rate in every coordinate, along the sign of a mix of gradient
 * and average: `p ← (1 − ηλ)p − η sign(β₁m + (1 − β₁)g)`, `m ← β₂m + (1 − β₂)g`. Half of Adam's
 * state; wants a learning rate three to ten times smaller.
 *
 * A sign does not change with a positive factor, so with `M = m / (1 − β₂)` the mix is
 * `β₁(1 − β₂) / (1 − β₁) · M + g`.
 *
 * Chen et al., "Symbolic Discovery of Optimization Algorithms" (NeurIPS 2023), Program 1.
 */
import { requireRange, shrunk, type Optimiser } from './optimiser.ts';

export interface LionOptions {
  /** Share of the average in the direction, in [0, 1); default 0.9. */
  readonly beta1?: number;
  /** Decay of the average, in [0, 1); default 0.99. */
  readonly beta2?: number;
  /** Shrinkage of the parameters; default 0. */
  readonly weightDecay?: number;
}

/** @throws RangeError when an option is out of its range. */
export function lion({ beta1 = 0.9, beta2 = 0.99, weightDecay = 0 }: LionOptions = {}): Optimiser {
  requireRange('beta1', beta1, 0, 1);
  requireRange('beta2', beta2, 0, 1);
  requireRange('weightDecay', weightDecay, 0, Infinity);
  return {
    name: 'lion',
    options: { beta1, beta2, weightDecay },
    slots: ['mean'],
    counts: false,
    begin: (graph) => {
      const { emit, scalar } = graph;
      const shrink = shrunk(graph, weightDecay);
      const share = scalar((beta1 * (1 - beta2)) / (1 - beta1));
      return (parameter, gradient, [mean]) => {
        const direction = emit('Sign', emit('Add', emit('Mul', mean!, share), gradient));
        return {
          parameter: emit('Sub', shrink(parameter), emit('Mul', direction, graph.learningRate)),
          state: [emit('Add', emit('Mul', mean!, scalar(beta2)), gradient)],
        };
      };
    },
  };
}
