/** Operators that count in steps: what makes small integers of numbers, and products of those. */
import { elementTypeOf } from '../../tensor/element-type.ts';
import type { InferenceNode, InferenceRule } from '../../infer/rule.ts';
import type { Size } from '../../infer/size.ts';
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

export const quantized: Operators = {
  QuantizeLinear: { infer: inferQuantize },
  DequantizeLinear: { infer: (node) => [{ type: node.given(1).type, shape: node.given(0).shape }] },
  DynamicQuantizeLinear: { infer: inferDynamicQuantize },
  MatMulInteger: { infer: ofIntegers(matrixProduct) },
  ConvInteger: { infer: ofIntegers(convolved) },
  QLinearMatMul: { infer: scaled(matrixProduct) },
  QLinearConv: { infer: scaled(convolved) },
};
