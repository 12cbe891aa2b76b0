/**
 * dy in the type of x: to the rule, numbers of every width are the same. The engine stops at
 * integers.
 */
import { elementTypeNumber } from '../../element-type.ts';
import type { GradientRule } from '../rule.ts';

export const Cast: GradientRule = (node, graph) => [
  graph.emit('Cast', [node.outputGradients[0]!], {
    to: elementTypeNumber(graph.typeOf(node.inputs[0]!)),
  }),
];
