/**
 * Adagrad: each coordinate's step shrinks with the squared gradients that it has seen, so that rare
 * features keep long steps. `G ← G + g²`, `p ← p − η g / (√G + ε)`.
 *
 * Duchi, Hazan and Singer, "Adaptive Subgradient Methods" (JMLR 2011).
 */
import { requireRange, withDecay, type Optimiser } from './optimiser.ts';

export interface AdagradOptions {
  /** Added to the root; default 1e-10. */
  readonly epsilon?: number;
  /** L2 penalty; default 0. */
  readonly weightDecay?: number;
}

/** @throws RangeError when an option is out of its range. */
export function adagrad({ epsilon = 1e-10, weightDecay = 0 }: AdagradOptions = {}): Optimiser {
  requireRange('epsilon', epsilon, 0, Infinity);
  requireRange('weightDecay', weightDecay, 0, Infinity);
  return {
    name: 'adagrad',
    options: { epsilon, weightDecay },
    slots: ['sum'],
    counts: false,
    begin: (graph) => {
      const { emit } = graph;
      return (parameter, gradient, [sum]) => {
        const slope = withDecay(graph, parameter, gradient, weightDecay);
        const next = emit('Add', sum!, emit('Mul', slope, slope));
        const root = emit('Add', emit('Sqrt', next), graph.scalar(epsilon));
        const step = emit('Mul', emit('Div', slope, root), graph.learningRate);
        return { parameter: emit('Sub', parameter, step), state: [next] };
      };
    },
  };
}
