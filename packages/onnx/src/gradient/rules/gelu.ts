/**
 * d x·Φ(x) = (Φ(x) + x·φ(x))·dx with the normal distribution Φ and its density φ (Hendrycks and
 * Gimpel, 2016); with t = tanh(u), u = √(2/π)·(x + 0.044715·x³) for the approximation: ½·(1 + t) +
 * ½·x·(1 − t²)·u′.
 */
import type { GradientGraph, GradientRule } from '../rule.ts';
import { scaled } from '../shared/pointwise.ts';

export const Gelu: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const approximate = node.attributeString('approximate', 'none') === 'tanh';
  const slope = approximate ? tanhSlope(graph, x) : normalSlope(graph, x);
  return [graph.emit('Mul', [node.outputGradients[0]!, slope])];
};

function normalSlope(graph: GradientGraph, x: string): string {
  const error = graph.emit('Erf', [scaled(graph, x, Math.SQRT1_2)]);
  const share = scaled(graph, graph.emit('Add', [error, graph.scalar(1, x)]), 0.5);
  const bell = graph.emit('Exp', [scaled(graph, graph.emit('Mul', [x, x]), -0.5)]);
  const density = scaled(graph, bell, 1 / Math.sqrt(2 * Math.PI));
  return graph.emit('Add', [share, graph.emit('Mul', [x, density])]);
}

function tanhSlope(graph: GradientGraph, x: string): string {
  const c = Math.sqrt(2 / Math.PI);
  const square = graph.emit('Mul', [x, x]);
  const affine = (times: number, plus: number) =>
    graph.emit('Add', [scaled(graph, square, times), graph.scalar(plus, x)]);
  const t = graph.emit('Tanh', [graph.emit('Mul', [x, affine(0.044715 * c, c)])]);
  const rest = graph.emit('Sub', [graph.scalar(1, x), graph.emit('Mul', [t, t])]);
  const inner = graph.emit('Mul', [graph.emit('Mul', [x, rest]), affine(3 * 0.044715 * c, c)]);
  const outer = graph.emit('Add', [t, graph.scalar(1, x)]);
  return scaled(graph, graph.emit('Add', [outer, inner]), 0.5);
}
