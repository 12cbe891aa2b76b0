/** d(−x) = −dx (Abramowitz and Stegun 3.3.1). */
import type { GradientRule } from '../rule.ts';

export const Neg: GradientRule = (node, graph) => [graph.emit('Neg', [node.outputGradients[0]!])];
