/** y = eˣ/Σeˣ: dx = y·(dy − Σ y·dy) (Bridle, 1990). */
import type { GradientRule } from '../rule.ts';
import { softmaxAxes } from '../shared/softmax-axes.ts';

export const Softmax: GradientRule = (node, graph) => {
  const [y, g] = [node.outputs[0]!, node.outputGradients[0]!];
  const weighted = graph.emit('Mul', [y, g]);
  const sum = graph.reduceSum(weighted, softmaxAxes(node, graph), true);
  return [graph.emit('Sub', [weighted, graph.emit('Mul', [y, sum])])];
};
