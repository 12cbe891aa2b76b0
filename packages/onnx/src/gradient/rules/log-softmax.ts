/** y = x − ln Σeˣ: dx = dy − eʸ·Σ dy, where eʸ is the softmax (Bridle, 1990). */
import type { GradientRule } from '../rule.ts';
import { softmaxAxes } from '../shared/softmax-axes.ts';

export const LogSoftmax: GradientRule = (node, graph) => {
  const [y, g] = [node.outputs[0]!, node.outputGradients[0]!];
  const sum = graph.reduceSum(g, softmaxAxes(node, graph), true);
  return [graph.emit('Sub', [g, graph.emit('Mul', [graph.emit('Exp', [y]), sum])])];
};
