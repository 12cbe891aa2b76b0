/**
 * Stochastic gradient descent with momentum: `v ← μv + g`, `p ← p − ηv`. The form is PyTorch's, in which the learning rate stands outside the velocity.
 *
 * Sutskever et al., "On the importance of initialization and momentum in deep learning" (ICML 2013).
 */
import { requireRange, withDecay, type Optimiser } from './optimiser.ts';

export interface SgdOptions {
  /** μ in [0, 1); default 0. */
  readonly momentum?: number;
  /** L2 penalty; default 0. */
  readonly weightDecay?: number;
}

/** @throws RangeError when an option is out of its range. */
export function sgd(options: SgdOptions = {}): Optimiser {
  const { momentum = 0, weightDecay = 0 } = options;
  requireRange('momentum', momentum, 0, 1);
  requireRange('weightDecay', weightDecay, 0, Infinity);
  return {
    name: 'sgd',
    options: { momentum, weightDecay },
    slots: momentum === 0 ? [] : ['velocity'],
    counts: false,
    linear: momentum === 0 && weightDecay === 0,
    begin: (graph) => {
      const { emit } = graph;
      return (parameter, gradient, [velocity]) => {
        const slope = withDecay(graph, parameter, gradient, weightDecay);
        const move = (along: string) =>
          emit('Sub', parameter, emit('Mul', along, graph.learningRate));
        if (velocity === undefined) return { parameter: move(slope), state: [] };
        // A sum, unlike an addition, is fused with the matrix product that computes the gradient.
        const next = emit('Sum', slope, emit('Mul', velocity, graph.scalar(momentum)));
        return { parameter: move(next), state: [next] };
      };
    },
  };
}
