/**
 * d(xᵉ) = e·xᵉ⁻¹·dx + xᵉ·ln x·de (Abramowitz and Stegun 3.3.6). As in PyTorch, the first is 0 for e
 * = 0, and the second is 0 for x = 0 and e ≥ 0, where the limit of xᵉ·ln x is 0.
 */
import { elementTypeNumber } from '../../element-type.ts';
import { values } from '../../tensor.ts';
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';
import { operand } from '../shared/operand.ts';

export const Pow: GradientRule = (node, graph) => [
  operand(node, graph, 0, (g) => graph.emit('Mul', [g, slope(node, graph)])),
  operand(node, graph, 1, (g) => {
    const [x, e] = [node.inputs[0]!, node.inputs[1]!];
    const zero = graph.scalar(0, x);
    const logarithm = graph.emit('Where', [isZero(graph, x), zero, graph.emit('Log', [x])]);
    const product = graph.emit('Mul', [node.outputs[0]!, logarithm]);
    return graph.emit('Cast', [graph.emit('Mul', [g, product])], {
      to: elementTypeNumber(graph.typeOf(e)),
    });
  }),
];

/** e·xᵉ⁻¹ without a general power where the exponent is a common constant. */
function slope(node: GradientNode, graph: GradientGraph): string {
  const [x, e, y] = [node.inputs[0]!, node.inputs[1]!, node.outputs[0]!];
  const constant = graph.constantOf(e);
  const single =
    constant !== undefined &&
    constant.type !== 'string' &&
    constant.shape.every((size) => size === 1)
      ? Number(values(constant)[0])
      : undefined;
  if (single !== undefined && constant!.shape.length === 0) {
    const times = (value: string, factor: number) =>
      graph.emit('Mul', [value, graph.scalar(factor, x)]);
    if (single === 0) return graph.scalar(0, x);
    if (single === 2) return times(x, 2);
    if (single === 3) return times(graph.emit('Mul', [x, x]), 3);
    if (single === 0.5) return graph.emit('Div', [graph.scalar(0.5, x), y]);
    return times(graph.emit('Pow', [x, graph.scalar(single - 1, x)]), single);
  }
  const exponent = graph.emit('Cast', [e], { to: elementTypeNumber(graph.typeOf(x)) });
  const reduced = graph.emit('Sub', [exponent, graph.scalar(1, x)]);
  const power = graph.emit('Mul', [exponent, graph.emit('Pow', [x, reduced])]);
  return graph.emit('Where', [isZero(graph, exponent), graph.scalar(0, x), power]);
}

/** Before opset 11 floats could not be compared by Equal. */
function isZero(graph: GradientGraph, x: string): string {
  return graph.opset < 11
    ? graph.emit('Not', [graph.emit('Cast', [x], { to: elementTypeNumber('bool') })])
    : graph.emit('Equal', [x, graph.scalar(0, x)]);
}
