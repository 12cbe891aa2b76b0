/** The gradient goes to the side that was chosen, as in PyTorch; the condition has none. */
import type { GradientRule } from '../rule.ts';

export const Where: GradientRule = (node, graph) => {
  const [condition, g] = [node.inputs[0]!, node.outputGradients[0]!];
  const zero = graph.scalar(0, g);
  const side = (index: number, yes: string, no: string) =>
    node.wants(index)
      ? graph.unbroadcast(graph.emit('Where', [condition, yes, no]), node.inputs[index]!)
      : undefined;
  return [undefined, side(1, g, zero), side(2, zero, g)];
};
