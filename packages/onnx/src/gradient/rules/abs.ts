/** d|x| = sign(x)·dx; 0 at 0, which is a subgradient, as in PyTorch. */
import type { GradientRule } from '../rule.ts';

export const Abs: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Sign', [node.inputs[0]!])]),
];
