/**
 * Dynamic form of a matrix product: the range of its input is measured in each run, by the runtime.
 * It needs no calibration, and suits products whose inputs vary, such as a language model's.
 */
import type { NodeProto } from 'onnx-buf';
import { transposed } from './transposed.ts';
import type { GraphEdit } from '../graph-edit.ts';
import type { Layer } from '../layers.ts';
import type { StoredWeights } from './stored.ts';

/** Adds the nodes, in the order that ONNX Runtime fuses to one. */
export function dynamic(
  edit: GraphEdit,
  stored: StoredWeights,
  node: NodeProto,
  layer: Layer,
): void {
  const weights = transposed(layer);
  const { integers, scale } = stored.constants(weights);
  const { input } = node;
  const result = node.output[0]!;
  const [data, inputScale, zero] = edit.nodes(
    'DynamicQuantizeLinear',
    [input[0]!],
    [`${result}/input`, `${result}/input-scale`, `${result}/input-zero`],
  ) as [string, string, string];
  const sums = edit.node('MatMulInteger', [data, integers, zero], `${result}/sums`);
  const float = edit.node('Cast', [sums], `${result}/sums-float`, { to: 1 });
  const both = edit.node('Mul', [inputScale, scale], `${result}/scale`);
  const bias = input[2] ?? '';
  if (bias === '') edit.replace(node, 'Mul', [float, both]);
  else edit.replace(node, 'Add', [edit.node('Mul', [float, both], `${result}/product`), bias]);
}
