/**
 * Adam: steps of about the learning rate in every coordinate, from running averages of the gradient
 * and of its square.
 *
 * With `M = m / (1 − β₁)`, `V = v / (1 − β₂)` and `k = √((1 − β₂) / (1 − β₂ᵗ))`, the published rule
 * `p ← p − η · m̂ / (√v̂ + ε)` is `p ← p − a · M / (√V + ε / k)` with
 * `a = η (1 − β₁) / ((1 − β₁ᵗ) k)`: ten passes over memory instead of fourteen, and the same numbers.
 * `a / η` and `ε / k` are scalars, and computed in float64, because `1 − β₂ᵗ` cancels at first.
 *
 * Kingma and Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015), Algorithm 1.
 */
import { requireRange, shrunk, withDecay, type Optimiser, type UpdateGraph } from './optimiser.ts';

export interface AdamOptions {
  /** Decay of the average gradient, in [0, 1); default 0.9. */
  readonly beta1?: number;
  /** Decay of the average squared gradient, in [0, 1); default 0.999. */
  readonly beta2?: number;
  /** Added to the root, so that nothing is divided by zero; default 1e-8. */
  readonly epsilon?: number;
  /** L2 penalty (`adam`), or shrinkage of the parameters (`adamW`); default 0, and 0.01 for `adamW`. */
  readonly weightDecay?: number;
}

/** @throws RangeError when an option is out of its range. */
export function adam(options: AdamOptions = {}): Optimiser {
  const weightDecay = options.weightDecay ?? 0;
  return adaptive(
    'adam',
    { ...options, weightDecay },
    (graph, update) => (parameter, gradient, state) => {
      const slope = withDecay(graph, parameter, gradient, weightDecay);
      return update(parameter, slope, state);
    },
  );
}

/**
 * Adam with the weight decay taken out of the averages, where it would be scaled by them:
 * Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (ICLR 2019), Algorithm 2, in
 * PyTorch's form, in which the learning rate scales the decay.
 *
 * @throws RangeError when an option is out of its range.
 */
export function adamW(options: AdamOptions = {}): Optimiser {
  const weightDecay = options.weightDecay ?? 0.01;
  return adaptive('adamw', { ...options, weightDecay }, (graph, update) => {
    const shrink = shrunk(graph, weightDecay);
    return (parameter, gradient, state) => update(shrink(parameter), gradient, state);
  });
}

type Rule = ReturnType<Optimiser['begin']>;

function adaptive(
  name: string,
  options: AdamOptions,
  decayed: (graph: UpdateGraph, update: Rule) => Rule,
): Optimiser {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = options;
  requireRange('beta1', beta1, 0, 1);
  requireRange('beta2', beta2, 0, 1);
  requireRange('epsilon', epsilon, 0, Infinity);
  requireRange('weightDecay', weightDecay, 0, Infinity);
  return {
    name,
    options: { beta1, beta2, epsilon, weightDecay },
    slots: ['mean', 'variance'],
    counts: true,
    begin: (graph) => {
      const { emit, double } = graph;
      const grown = (beta: number) =>
        emit('Sub', double(1), emit('Pow', double(beta), graph.stepNumber));
      const inverseK = emit('Sqrt', emit('Div', grown(beta2), double(1 - beta2)));
      const ratio = emit('Mul', inverseK, emit('Div', double(1 - beta1), grown(beta1)));
      const pace = emit('Mul', graph.learningRate, graph.narrow(ratio));
      const floor = graph.narrow(emit('Mul', inverseK, double(epsilon)));
      const keep1 = graph.scalar(beta1);
      const keep2 = graph.scalar(beta2);
      return decayed(graph, (parameter, gradient, [mean, variance]) => {
        const first = emit('Add', emit('Mul', mean!, keep1), gradient);
        const square = emit('Mul', gradient, gradient);
        const second = emit('Add', emit('Mul', variance!, keep2), square);
        const direction = emit('Div', first, emit('Add', emit('Sqrt', second), floor));
        return {
          parameter: emit('Sub', parameter, emit('Mul', direction, pace)),
          state: [first, second],
        };
      });
    },
  };
}
