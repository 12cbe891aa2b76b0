/**
 * d erf x = 2/√π·exp(−x²)·dx (Abramowitz and Stegun 7.1.1), with the factor inside of the
 * exponential, where it costs no pass over memory: exp(ln(2/√π) − x²).
 */
import type { GradientRule } from '../rule.ts';

export const Erf: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const peak = graph.scalar(Math.log(2 / Math.sqrt(Math.PI)), x);
  const bell = graph.emit('Exp', [graph.emit('Sub', [peak, graph.emit('Mul', [x, x])])]);
  return [graph.emit('Mul', [node.outputGradients[0]!, bell])];
};
