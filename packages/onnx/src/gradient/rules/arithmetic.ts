/**
 * Arithmetic with broadcasting: the gradient of a broadcast operand is summed over the axes along
 * which it was repeated.
 */
import { elementTypeNumber } from '../../element-type.ts';
import { values } from '../../tensor.ts';
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';

/** d(a + b) = da + db. */
export const Add: GradientRule = (node, graph) => [
  operand(node, graph, 0, (g) => g),
  operand(node, graph, 1, (g) => g),
];

/** d(a − b) = da − db. */
export const Sub: GradientRule = (node, graph) => [
  operand(node, graph, 0, (g) => g),
  // Negated after the sum, which is the smaller tensor.
  negated(
    graph,
    operand(node, graph, 1, (g) => g),
  ),
];

/** d(a·b) = b·da + a·db. */
export const Mul: GradientRule = (node, graph) => [
  operand(node, graph, 0, (g) => graph.emit('Mul', [g, node.inputs[1]!])),
  operand(node, graph, 1, (g) => graph.emit('Mul', [g, node.inputs[0]!])),
];

/** d(a/b) = da/b − (a/b)·db/b. */
export const Div: GradientRule = (node, graph) => {
  const b = node.inputs[1]!;
  const overB = (g: string) => graph.emit('Div', [g, b]);
  return [
    operand(node, graph, 0, overB),
    negated(
      graph,
      operand(node, graph, 1, (g) => graph.emit('Mul', [overB(g), node.outputs[0]!])),
    ),
  ];
};

/** d(−x) = −dx. */
export const Neg: GradientRule = (node, graph) => [graph.emit('Neg', [node.outputGradients[0]!])];

/** d|x| = sign(x)·dx; 0 at 0, as in PyTorch. */
export const Abs: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Sign', [node.inputs[0]!])]),
];

/** d(1/x) = −(1/x)²·dx. */
export const Reciprocal: GradientRule = (node, graph) => {
  const y = node.outputs[0]!;
  const square = graph.emit('Mul', [y, y]);
  return [graph.emit('Neg', [graph.emit('Mul', [node.outputGradients[0]!, square])])];
};

/**
 * d(xᵉ) = e·xᵉ⁻¹·dx + xᵉ·ln x·de. As in PyTorch, the first is 0 for e = 0, and the second is 0 for
 * x = 0 and e ≥ 0, where the limit of xᵉ·ln x is 0.
 */
export const Pow: GradientRule = (node, graph) => [
  operand(node, graph, 0, (g) => graph.emit('Mul', [g, slope(node, graph)])),
  operand(node, graph, 1, (g) => {
    const [x, e] = [node.inputs[0]!, node.inputs[1]!];
    const zero = graph.scalar(0, x);
    const logarithm = graph.emit('Where', [
      graph.emit('Equal', [x, zero]),
      zero,
      graph.emit('Log', [x]),
    ]);
    const product = graph.emit('Mul', [node.outputs[0]!, logarithm]);
    return graph.emit('Cast', [graph.emit('Mul', [g, product])], { to: typeNumber(graph, e) });
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
  const exponent = graph.emit('Cast', [e], { to: typeNumber(graph, x) });
  const reduced = graph.emit('Sub', [exponent, graph.scalar(1, x)]);
  const power = graph.emit('Mul', [exponent, graph.emit('Pow', [x, reduced])]);
  const zero = graph.scalar(0, x);
  return graph.emit('Where', [graph.emit('Equal', [exponent, zero]), zero, power]);
}

/** d Σxᵢ = Σdxᵢ. */
export const Sum: GradientRule = (node, graph) =>
  node.inputs.map((_, i) => operand(node, graph, i, (g) => g));

/** d(Σxᵢ/n) = Σdxᵢ/n. */
export const Mean: GradientRule = (node, graph) => {
  const share = (g: string) =>
    graph.emit('Mul', [g, graph.scalar(1 / node.inputs.length, node.outputs[0]!)]);
  return node.inputs.map((_, i) => operand(node, graph, i, share));
};

/** The gradient goes to the largest operand, in equal parts where several are, as in PyTorch. */
export const Max: GradientRule = extremum;

/** The gradient goes to the smallest operand, in equal parts where several are, as in PyTorch. */
export const Min: GradientRule = extremum;

function extremum(node: GradientNode, graph: GradientGraph): readonly (string | undefined)[] {
  const y = node.outputs[0]!;
  if (node.inputs.length === 1) return [node.outputGradients[0]];
  const type = typeNumber(graph, y);
  // No operand is beyond the extremum; and before opset 11 floats could not be compared by Equal.
  const beside = node.opType === 'Max' ? 'Less' : 'Greater';
  const masks = node.inputs.map((x) =>
    graph.emit('Cast', [graph.emit('Not', [graph.emit(beside, [x, y])])], { to: type }),
  );
  const winners = graph.emit('Sum', masks);
  return node.inputs.map((_, i) =>
    operand(node, graph, i, (g) => graph.emit('Mul', [graph.emit('Div', [g, winners]), masks[i]!])),
  );
}

/** The gradient of one operand, before it is summed over what was broadcast. */
function operand(
  node: GradientNode,
  graph: GradientGraph,
  index: number,
  contribution: (outputGradient: string) => string,
): string | undefined {
  if (!node.wants(index)) return undefined;
  return graph.unbroadcast(contribution(node.outputGradients[0]!), node.inputs[index]!);
}

function negated(graph: GradientGraph, gradient: string | undefined): string | undefined {
  return gradient === undefined ? undefined : graph.emit('Neg', [gradient]);
}

function typeNumber(graph: GradientGraph, name: string): number {
  return elementTypeNumber(graph.typeOf(name));
}
