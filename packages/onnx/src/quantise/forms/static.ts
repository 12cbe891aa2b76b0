/**
 * Static form of a layer: it reads restored integers and restored weights, which a runtime fuses to
 * a product of integers. Its bias is an int32 on the grid of the product, so that it is added before
 * the result is scaled.
 */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { tensor } from '../../tensor/tensor.ts';
import { roundToEven, type Grid } from '../grid.ts';
import type { GraphEdit } from '../graph-edit.ts';
import type { Layer } from '../layers.ts';
import type { StoredWeights } from './stored.ts';

const LARGEST_INT32 = 2 ** 31 - 1;

/**
 * @param bias the layer's bias as numbers, corrected; `undefined` when it has none or it is no
 *   constant, and the node keeps its input.
 */
export function integerLayer(
  edit: GraphEdit,
  stored: StoredWeights,
  node: NodeProto,
  layer: Layer,
  grid: Grid,
  bias: Float32Array | undefined,
): void {
  const [weights] = layer.weights;
  const input = [...node.input];
  input[1] = stored.restored(weights!);
  const { scales } = stored.constants(weights!).of;
  if (bias !== undefined && layer.operator !== 'MatMul') {
    input[2] = storedBias(edit, bias, scales, grid.scale, `${layer.name}/bias`);
  }
  edit.keep(Object.assign(create(NodeProtoSchema), node, { input }));
}

/** Stores a bias as int32 where it fits, else as floats. */
function storedBias(
  edit: GraphEdit,
  bias: Float32Array,
  scales: Float32Array,
  inputScale: number,
  name: string,
): string {
  const products = scales.map((scale) => scale * inputScale);
  const integers = Array.from(bias, (value, at) => roundToEven(value / products[at]!));
  const shape = [bias.length];
  if (!integers.every((each) => Math.abs(each) <= LARGEST_INT32)) {
    return edit.constant(name, tensor('float32', shape, bias));
  }
  const stored = edit.constant(`${name}/int32`, tensor('int32', shape, Int32Array.from(integers)));
  const scale = edit.constant(`${name}/scale`, tensor('float32', shape, products));
  return edit.node('DequantizeLinear', [stored, scale], name, { axis: 0 });
}
