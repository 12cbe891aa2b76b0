/**
 * Activations. Where a slope can be told from the output it is, so that the input need not be kept
 * until the backward pass.
 */
import { elementTypeNumber } from '../../element-type.ts';
import type { GradientGraph, GradientRule } from '../rule.ts';

/** σ′ = σ·(1 − σ). */
export const Sigmoid: GradientRule = (node, graph) => {
  const y = node.outputs[0]!;
  const slope = graph.emit('Mul', [y, graph.emit('Sub', [graph.scalar(1, y), y])]);
  return [graph.emit('Mul', [node.outputGradients[0]!, slope])];
};

/**
 * 1 where y > 0, else 0. A comparison and a product are what ONNX Runtime vectorises: for 250 thousand
 * elements they take 0.21 ms, a choice between dy and 0 takes 0.30 ms, and a product with sign(y),
 * which is the same mask, 0.51 ms.
 */
export const Relu: GradientRule = (node, graph) => {
  const y = node.outputs[0]!;
  const mask = graph.emit('Cast', [positive(graph, y)], { to: elementTypeNumber(graph.typeOf(y)) });
  return [graph.emit('Mul', [node.outputGradients[0]!, mask])];
};

/** 1 where x > 0, else α. */
export const LeakyRelu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const alpha = node.attributeFloat('alpha', 0.01);
  return [choose(graph, positive(graph, node.inputs[0]!), g, scaled(graph, g, alpha))];
};

/** 1 where x > 0, else the slope for that channel; the slope's is Σ x·dy where x < 0 (He et al., 2015). */
export const PRelu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const [x, slope] = [node.inputs[0]!, node.inputs[1]!];
  const above = positive(graph, x);
  const left = node.wants(0) ? choose(graph, above, g, graph.emit('Mul', [g, slope])) : undefined;
  if (!node.wants(1)) return [left];
  const below = choose(graph, above, graph.scalar(0, x), graph.emit('Mul', [g, x]));
  return [left, graph.unbroadcast(below, slope)];
};

/** 1 where x > 0, else α·eˣ = y + α (Clevert et al., 2016). */
export const Elu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const y = node.outputs[0]!;
  const alpha = node.attributeFloat('alpha', 1);
  const below = graph.emit('Mul', [g, graph.emit('Add', [y, graph.scalar(alpha, y)])]);
  return [choose(graph, positive(graph, node.inputs[0]!), g, below)];
};

/** γ where x > 0, else γ·α·eˣ = y + γ·α (Klambauer et al., 2017). */
export const Selu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const y = node.outputs[0]!;
  const alpha = node.attributeFloat('alpha', 1.6732632423543772);
  const gamma = node.attributeFloat('gamma', 1.0507009873554805);
  const below = graph.emit('Mul', [g, graph.emit('Add', [y, graph.scalar(gamma * alpha, y)])]);
  return [choose(graph, positive(graph, node.inputs[0]!), scaled(graph, g, gamma), below)];
};

/** 1 where x > 0, else e^(x/α) = y/α + 1 (Barron, 2017). */
export const Celu: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const y = node.outputs[0]!;
  const share = scaled(graph, y, 1 / node.attributeFloat('alpha', 1));
  const below = graph.emit('Mul', [g, graph.emit('Add', [share, graph.scalar(1, y)])]);
  return [choose(graph, positive(graph, node.inputs[0]!), g, below)];
};

/** d ln(1 + eˣ) = σ(x)·dx. */
export const Softplus: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Sigmoid', [node.inputs[0]!])]),
];

/** d x/(1 + |x|) = dx/(1 + |x|)² = (1 − |y|)²·dx. */
export const Softsign: GradientRule = (node, graph) => {
  const y = node.outputs[0]!;
  const rest = graph.emit('Sub', [graph.scalar(1, y), graph.emit('Abs', [y])]);
  return [graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Mul', [rest, rest])])];
};

/** α where 0 < y < 1, else 0. */
export const HardSigmoid: GradientRule = (node, graph) => {
  const y = node.outputs[0]!;
  const g = scaled(graph, node.outputGradients[0]!, node.attributeFloat('alpha', 0.2));
  const inside = graph.emit('And', [
    positive(graph, y),
    graph.emit('Less', [y, graph.scalar(1, y)]),
  ]);
  return [choose(graph, inside, g, graph.scalar(0, y))];
};

/** 0 below −3, 1 above 3, x/3 + ½ between (Howard et al., 2019). */
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

/**
 * d x·Φ(x) = (Φ(x) + x·φ(x))·dx with the normal distribution Φ and its density φ (Hendrycks and
 * Gimpel, 2016); with t = tanh(u), u = √(2/π)·(x + 0.044715·x³) for the approximation:
 * ½·(1 + t) + ½·x·(1 − t²)·u′.
 */
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

/** d x·tanh(s) = (tanh s + x·(1 − tanh²s)·σ(x))·dx with s = ln(1 + eˣ) (Misra, 2019). */
export const Mish: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const t = graph.emit('Tanh', [graph.emit('Softplus', [x])]);
  const rest = graph.emit('Sub', [graph.scalar(1, x), graph.emit('Mul', [t, t])]);
  const inner = graph.emit('Mul', [rest, graph.emit('Mul', [x, graph.emit('Sigmoid', [x])])]);
  return [graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Add', [t, inner])])];
};

/** 1 where x > α, else 0. */
export const ThresholdedRelu: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const above = graph.emit('Greater', [x, graph.scalar(node.attributeFloat('alpha', 1), x)]);
  return [choose(graph, above, node.outputGradients[0]!, graph.scalar(0, x))];
};

function positive(graph: GradientGraph, x: string): string {
  return graph.emit('Greater', [x, graph.scalar(0, x)]);
}

function choose(graph: GradientGraph, condition: string, yes: string, no: string): string {
  return graph.emit('Where', [condition, yes, no]);
}

function scaled(graph: GradientGraph, x: string, by: number): string {
  return graph.emit('Mul', [x, graph.scalar(by, x)]);
}
