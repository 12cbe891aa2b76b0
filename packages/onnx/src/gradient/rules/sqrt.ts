/** d √x = dx/(2√x) (Abramowitz and Stegun 3.3.6). */
import type { GradientRule } from '../rule.ts';

export const Sqrt: GradientRule = (node, graph) => {
  const half = graph.emit('Mul', [node.outputGradients[0]!, graph.scalar(0.5, node.inputs[0]!)]);
  return [graph.emit('Div', [half, node.outputs[0]!])];
};
