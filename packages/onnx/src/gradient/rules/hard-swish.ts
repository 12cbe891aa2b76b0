/** 0 below −3, 1 above 3, x/3 + ½ between (Howard et al., 2019). */
import { elementTypeNumber } from '../../element-type.ts';
import type { GradientRule } from '../rule.ts';
import { choose, positive, scaled } from '../shared/pointwise.ts';

export const HardSwish: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const line = graph.emit('Add', [scaled(graph, x, 1 / 3), graph.scalar(0.5, x)]);
  const inside = graph.emit('Less', [graph.emit('Abs', [x]), graph.scalar(3, x)]);
  const outside = graph.emit('Cast', [positive(graph, x)], {
    to: elementTypeNumber(graph.typeOf(x)),
  });
  const slope = choose(graph, inside, line, outside);
  return [graph.emit('Mul', [node.outputGradients[0]!, slope])];
};
