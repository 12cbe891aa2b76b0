/** d x·tanh(s) = (tanh s + x·(1 − tanh²s)·σ(x))·dx with s = ln(1 + eˣ) (Misra, 2019). */
import type { GradientRule } from '../rule.ts';

export const Mish: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const t = graph.emit('Tanh', [graph.emit('Softplus', [x])]);
  const rest = graph.emit('Sub', [graph.scalar(1, x), graph.emit('Mul', [t, t])]);
  const inner = graph.emit('Mul', [rest, graph.emit('Mul', [x, graph.emit('Sigmoid', [x])])]);
  return [graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Add', [t, inner])])];
};
