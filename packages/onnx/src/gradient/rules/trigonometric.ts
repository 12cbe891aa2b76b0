/** Circular and hyperbolic functions and their inverses (Abramowitz and Stegun 4.3.105–, 4.4.52–, 4.5.71–, 4.6.37–). */
import type { GradientGraph, GradientRule } from '../rule.ts';

/** d sin x = cos x·dx. */
export const Sin: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Cos', [node.inputs[0]!])]),
];

/** d cos x = −sin x·dx. */
export const Cos: GradientRule = (node, graph) => {
  const slope = graph.emit('Neg', [graph.emit('Sin', [node.inputs[0]!])]);
  return [graph.emit('Mul', [node.outputGradients[0]!, slope])];
};

/** d tan x = (1 + tan²x)·dx. */
export const Tan: GradientRule = (node, graph) => {
  const slope = plusOne(graph, square(graph, node.outputs[0]!));
  return [graph.emit('Mul', [node.outputGradients[0]!, slope])];
};

/** d arcsin x = dx/√(1 − x²). */
export const Asin: GradientRule = (node, graph) => {
  const root = graph.emit('Sqrt', [oneMinus(graph, square(graph, node.inputs[0]!))]);
  return [graph.emit('Div', [node.outputGradients[0]!, root])];
};

/** d arccos x = −dx/√(1 − x²). */
export const Acos: GradientRule = (node, graph) => {
  const root = graph.emit('Sqrt', [oneMinus(graph, square(graph, node.inputs[0]!))]);
  return [graph.emit('Neg', [graph.emit('Div', [node.outputGradients[0]!, root])])];
};

/** d arctan x = dx/(1 + x²). */
export const Atan: GradientRule = (node, graph) => [
  graph.emit('Div', [node.outputGradients[0]!, plusOne(graph, square(graph, node.inputs[0]!))]),
];

/** d sinh x = cosh x·dx. */
export const Sinh: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Cosh', [node.inputs[0]!])]),
];

/** d cosh x = sinh x·dx. */
export const Cosh: GradientRule = (node, graph) => [
  graph.emit('Mul', [node.outputGradients[0]!, graph.emit('Sinh', [node.inputs[0]!])]),
];

/** d tanh x = (1 − tanh²x)·dx. */
export const Tanh: GradientRule = (node, graph) => {
  const slope = oneMinus(graph, square(graph, node.outputs[0]!));
  return [graph.emit('Mul', [node.outputGradients[0]!, slope])];
};

/** d arsinh x = dx/√(x² + 1). */
export const Asinh: GradientRule = (node, graph) => {
  const root = graph.emit('Sqrt', [plusOne(graph, square(graph, node.inputs[0]!))]);
  return [graph.emit('Div', [node.outputGradients[0]!, root])];
};

/** d arcosh x = dx/√(x² − 1). */
export const Acosh: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const root = graph.emit('Sqrt', [graph.emit('Sub', [square(graph, x), graph.scalar(1, x)])]);
  return [graph.emit('Div', [node.outputGradients[0]!, root])];
};

/** d artanh x = dx/(1 − x²). */
export const Atanh: GradientRule = (node, graph) => [
  graph.emit('Div', [node.outputGradients[0]!, oneMinus(graph, square(graph, node.inputs[0]!))]),
];

function square(graph: GradientGraph, x: string): string {
  return graph.emit('Mul', [x, x]);
}

function plusOne(graph: GradientGraph, x: string): string {
  return graph.emit('Add', [x, graph.scalar(1, x)]);
}

function oneMinus(graph: GradientGraph, x: string): string {
  return graph.emit('Sub', [graph.scalar(1, x), x]);
}
