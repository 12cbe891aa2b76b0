/**
 * LayerNormalization: Y = scale · x̂ + bias, x̂ normalised over the axes from `axis` on (Ba, Kiros
 * and Hinton, 2016); its gradient is that of every normalisation, `normalise.ts`.
 *
 * The node itself gives mean and 1 / √(variance + ε), so that they are not computed again; always as
 * float32, so that wider inputs compute their own.
 */
import type { GradientRule } from '../rule.ts';
import { moments, normalisedGradient } from '../shared/normalise.ts';

export const LayerNormalization: GradientRule = (node, graph) => {
  const [x, scale, bias] = node.inputs as [string, string, string | undefined];
  const dy = node.outputGradients[0];
  if (dy === undefined || node.outputGradients.some((each, i) => i > 0 && each !== undefined)) {
    return graph.fail('the loss depends on its mean or deviation');
  }
  const rank = graph.rankOf(x);
  const first = node.attributeInt('axis', -1);
  const start = first < 0 ? first + rank : first;
  const axes = Array.from({ length: rank - start }, (_, i) => start + i);
  const over =
    graph.typeOf(x) === 'float32'
      ? { centred: graph.emit('Sub', [x, node.demand(1)]), inverse: node.demand(2), axes }
      : moments(graph, x, axes, node.attributeFloat('epsilon', 1e-5));
  const normalised = graph.emit('Mul', [over.centred, over.inverse]);
  return [
    node.wants(0)
      ? normalisedGradient(graph, graph.emit('Mul', [dy, scale]), normalised, over)
      : undefined,
    node.wants(1) ? graph.unbroadcast(graph.emit('Mul', [dy, normalised]), scale) : undefined,
    node.wants(2) ? graph.unbroadcast(dy, bias!) : undefined,
  ];
};
