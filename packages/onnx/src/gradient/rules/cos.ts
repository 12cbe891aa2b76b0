/** d cos x = −sin x·dx (Abramowitz and Stegun 4.3.106). */
import type { GradientRule } from '../rule.ts';

export const Cos: GradientRule = (node, graph) => {
  const slope = graph.emit('Neg', [graph.emit('Sin', [node.inputs[0]!])]);
  return [graph.emit('Mul', [node.outputGradients[0]!, slope])];
};
