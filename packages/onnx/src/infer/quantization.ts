/** Operators that count in steps: what makes small integers of numbers, and products of those. */
import { elementTypeOf } from '../element-type.ts';
import { matrixProduct } from './matmul.ts';
import type { InferenceRule } from './rule.ts';
import { convolved } from './window.ts';

export const quantization: Readonly<Record<string, InferenceRule>> = {
  QuantizeLinear: (node) => {
    const type = node.input(2)?.type ?? elementTypeOf(node.attributeInt('output_dtype', 0));
    return [{ type: type ?? 'uint8', shape: node.given(0).shape }];
  },
  DequantizeLinear: (node) => [{ type: node.given(1).type, shape: node.given(0).shape }],
  DynamicQuantizeLinear: (node) => [
    { type: 'uint8', shape: node.given(0).shape },
    { type: 'float32', shape: [] },
    { type: 'uint8', shape: [] },
  ],
  MatMulInteger: (node) => [
    { type: 'int32', shape: matrixProduct(node, node.given(0).shape, node.given(1).shape) },
  ],
  ConvInteger: (node) => [
    { type: 'int32', shape: convolved(node, node.given(0).shape, node.given(1).shape) },
  ],
  // Inputs: a, its scale and zero point; b, its; those of the result.
  QLinearMatMul: (node) => [
    {
      type: node.given(7).type,
      shape: matrixProduct(node, node.given(0).shape, node.given(3).shape),
    },
  ],
  QLinearConv: (node) => [
    { type: node.given(7).type, shape: convolved(node, node.given(0).shape, node.given(3).shape) },
  ],
};
