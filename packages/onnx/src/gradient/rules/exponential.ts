/** Exponentials, roots and the error function. */
import type { GradientRule } from '../rule.ts';

/** d eˣ = eˣ·dx. */
export const Exp: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, node.outputs[0]!]),
];

/** d ln x = dx/x. */
export const Log: GradientRule = (node, graph) => [
  graph.emit('Div', [node.outputGradients[0]!, node.inputs[0]!]),
];

/** d √x = dx/(2√x). */
export const Sqrt: GradientRule = (node, graph) => {
  const half = graph.emit('Mul', [node.outputGradients[0]!, graph.scalar(0.5, node.inputs[0]!)]);
  return [graph.emit('Div', [half, node.outputs[0]!])];
};

/**
 * d erf x = 2/√π·exp(−x²)·dx (Abramowitz and Stegun 7.1.1), with the factor inside of the exponential,
 * where it costs no pass over memory: exp(ln(2/√π) − x²).
 */
export const Erf: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const peak = graph.scalar(Math.log(2 / Math.sqrt(Math.PI)), x);
  const bell = graph.emit('Exp', [graph.emit('Sub', [peak, graph.emit('Mul', [x, x])])]);
  return [graph.emit('Mul', [node.outputGradients[0]!, bell])];
};
