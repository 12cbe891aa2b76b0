/** Operators that count in steps: what makes small integers of numbers, and products of those. */
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import { elementTypeOf } from '../../tensor/element-type.ts';
import type { InferenceNode, InferenceRule } from '../../infer/rule.ts';
import type { Size } from '../../infer/size.ts';
import { operationsOf } from '../elementwise/operations.ts';
import type { Operators } from '../operator.ts';
import { convolved } from '../windows/conv.ts';
import { matrixProduct } from './matmul.ts';

type Shape = readonly Size[] | undefined;
type ProductShape = (node: InferenceNode, a: Shape, b: Shape) => Shape;

const inferQuantize: InferenceRule = (node) => {
  const type = node.input(2)?.type ?? elementTypeOf(node.attributeInt('output_dtype', 0));
  return [{ type: type ?? 'uint8', shape: node.given(0).shape }];
};

const inferDynamicQuantize: InferenceRule = (node) => [
  { type: 'uint8', shape: node.given(0).shape },
  { type: 'float32', shape: [] },
  { type: 'uint8', shape: [] },
];

const ofIntegers = (product: ProductShape): InferenceRule => {
  return (node) => [
    { type: 'int32', shape: product(node, node.given(0).shape, node.given(1).shape) },
  ];
};

/** Inputs: a, its scale and zero point; b, its; then scale and zero point of the result. */
const scaled = (product: ProductShape): InferenceRule => {
  return (node) => [
    { type: node.given(7).type, shape: product(node, node.given(0).shape, node.given(3).shape) },
  ];
};

/**
 * The straight-through estimate: rounding counts as the identity, so that dq/dx = 1/scale where x
 * lies within the range of the integers, and 0 where x is clipped. The scale and the zero point have
 * no gradient: training keeps the grid.
 *
 * A value is clipped if its integer is more than half a step away from it. The test needs no bounds
 * of the integer type. A value exactly half a step outside the range counts as inside.
 *
 * Bengio, Léonard and Courville, Estimating or Propagating Gradients Through Stochastic Neurons
 * (2013); Jacob et al., Quantization and Training of Neural Networks (CVPR 2018), §3.
 */
const QuantizeLinear: GradientRule = (node, graph) => {
  const [x, g] = [node.inputs[0]!, node.outputGradients[0]!];
  const { abs, castLike, div, greater, sub, where } = operationsOf(graph);
  const scale = alongside(node, graph, node.inputs[1]!);
  let integer = castLike(node.outputs[0]!, x);
  if (node.hasInput(2)) {
    integer = sub(integer, alongside(node, graph, castLike(node.inputs[2]!, x)));
  }
  const clipped = greater(abs(sub(div(x, scale), integer)), 0.5);
  return [where(clipped, 0, div(g, scale))];
};

/** dx/dq = scale. The gradient of an integer is a float, which QuantizeLinear's rule reads. */
const DequantizeLinear: GradientRule = (node, graph) => {
  const { mul } = operationsOf(graph);
  return [mul(node.outputGradients[0]!, alongside(node, graph, node.inputs[1]!))];
};

/** A scale or zero point in a shape that broadcasts with the data: for all of it, an axis, or blocks. */
function alongside(node: GradientNode, graph: GradientGraph, value: string): string {
  const rank = graph.shapeOf(value)?.length ?? graph.rankOf(node.inputs[1]!);
  if (rank === 0) return value;
  const data = graph.rankOf(node.inputs[0]!);
  const given = node.attributeInt('axis', 1);
  const axis = given < 0 ? given + data : given;
  const block = node.attributeInt('block_size', 0);
  if (block > 0) return repeated(node, graph, value, axis, block);
  const [size] = graph.shapeOf(value) ?? [];
  // One number as a list of length 1 is for all of the data, as in ONNX Runtime.
  if (size === 1) return graph.reshape(value, []);
  return graph.reshape(
    value,
    Array.from({ length: data }, (_, at) => (at === axis ? -1 : 1)),
  );
}

/** Each number of a block's grid, as often as the block has elements; the last block may be short. */
function repeated(
  node: GradientNode,
  graph: GradientGraph,
  value: string,
  axis: number,
  block: number,
): string {
  const sizes = graph.shapeOf(value);
  const data = graph.shapeOf(node.inputs[0]!);
  const length = data?.[axis];
  const blocks = sizes?.[axis];
  if (typeof length !== 'number' || typeof blocks !== 'number') {
    return graph.fail('the length of the axis with blocks is not known');
  }
  const at = Array.from({ length }, (_, i) => Math.floor(i / block));
  return graph.emit('Gather', [value, graph.ints(at)], { axis });
}

export const quantized: Operators = {
  QuantizeLinear: { infer: inferQuantize, gradient: QuantizeLinear },
  DequantizeLinear: {
    infer: (node) => [{ type: node.given(1).type, shape: node.given(0).shape }],
    gradient: DequantizeLinear,
  },
  DynamicQuantizeLinear: { infer: inferDynamicQuantize },
  MatMulInteger: { infer: ofIntegers(matrixProduct) },
  ConvInteger: { infer: ofIntegers(convolved) },
  QLinearMatMul: { infer: scaled(matrixProduct) },
  QLinearConv: { infer: scaled(convolved) },
};
