/**
 * Stochastic gradient descent with momentum: `v ← μv + g`, `p ← p − ηv`, or with Nesterov's
 * `p ← p − η(g + μv)`. The form is PyTorch's, in which the learning rate stands outside the velocity.
 *
 * Sutskever et al., "On the importance of initialization and momentum in deep learning" (ICML 2013).
 */
import { requireRange, withDecay, type Optimiser } from './optimiser.ts';

export interface SgdOptions {
  /** μ in [0, 1); default 0. */
  readonly momentum?: number;
  /** Look ahead along the velocity; needs momentum. Default false. */
  readonly nesterov?: boolean;
  /** L2 penalty; default 0. */
  readonly weightDecay?: number;
}

/** @throws RangeError when an option is out of its range. */
export function sgd(options: SgdOptions = {}): Optimiser {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  requireRange('momentum', momentum, 0, 1);
  requireRange('weightDecay', weightDecay, 0, Infinity);
  if (nesterov && momentum === 0) throw new RangeError('nesterov needs a momentum above 0.');
  return {
    name: 'sgd',
    options: { momentum, nesterov, weightDecay },
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
        const mu = graph.scalar(momentum);
        // A sum, unlike an addition, is fused with the matrix product that computes the gradient.
        const next = emit('Sum', slope, emit('Mul', velocity, mu));
        const along = nesterov ? emit('Add', slope, emit('Mul', next, mu)) : next;
        return { parameter: move(along), state: [next] };
      };
    },
  };
}
