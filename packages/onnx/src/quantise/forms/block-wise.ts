/**
 * Weights with a scale for each block of consecutive inputs of an output channel: 4 bits suffice,
 * because an outlier coarsens its own block alone.
 */
import { create } from '@bufbuild/protobuf';
import { NodeProtoSchema, type NodeProto } from 'onnx-buf';
import { tensor } from '../../tensor/tensor.ts';
import { roundToEven, weightScale } from '../grid.ts';
import type { GraphEdit } from '../graph-edit.ts';
import type { Layer, LayerWeights } from '../layers.ts';
import { int8Tensor } from '../weights.ts';
import { transposed } from './transposed.ts';

export const DEFAULT_BLOCK = 32;
/** Scales of smaller blocks take more bytes than their integers save. */
const LEAST_BLOCK = 8;
/** TensorProto.DataType of float32. */
const FLOAT = 1;

/** Adds a product with blocks along its inputs, which ONNX Runtime computes as they are stored. */
export function blockProduct(
  edit: GraphEdit,
  node: NodeProto,
  layer: Layer,
  bits: 4 | 8,
  block: number,
): void {
  const restored = fusedBlocks(edit, transposed(layer), bits, block);
  const [data, , bias = ''] = node.input;
  if (bias === '') edit.replace(node, 'MatMul', [data!, restored]);
  else {
    const product = edit.node('MatMul', [data!, restored], `${node.output[0]!}/product`);
    // ONNX Runtime joins MatMul and Add to a Gemm, for which it has no kernel of blocks.
    const negative = edit.node('Neg', [bias], `${bias}/negative`);
    edit.replace(node, 'Sub', [product, negative]);
  }
}

/** Adds the node, which reads weights of blocks that are unpacked while the model is loaded. */
export function storedBlocks(
  edit: GraphEdit,
  node: NodeProto,
  layer: Layer,
  bits: 4 | 8,
  block: number,
): void {
  const input = [...node.input];
  for (const weights of layer.weights) {
    input[weights.input] = unpackedBlocks(edit, weights, rowsOf(layer, weights), bits, block);
  }
  edit.keep(Object.assign(create(NodeProtoSchema), node, { input }));
}

/** The weights as rows: an output channel each, or a gate of a direction of a recurrent layer. */
export function rowsOf({ operator }: Layer, { shape }: LayerWeights): number {
  return operator === 'LSTM' || operator === 'GRU' ? shape[0]! * shape[1]! : shape[0]!;
}

/** In the form that a runtime fuses with a product; its blocks lie along the first axis. */
function fusedBlocks(edit: GraphEdit, weights: LayerWeights, bits: 4 | 8, block: number): string {
  const { name, numbers, shape } = weights;
  const blocks = perBlock(numbers, shape, 0, bits, block);
  const scale = edit.constant(`${name}/scale`, tensor('float32', blocks.shape, blocks.scales));
  const stored = integersOf(edit, name, shape, blocks.integers, bits);
  return edit.node('DequantizeLinear', [stored, scale], `${name}/blocks`, {
    axis: 0,
    block_size: block,
  });
}

/** In the form that a runtime computes once, while it loads the model. */
function unpackedBlocks(
  edit: GraphEdit,
  { name, numbers, shape }: LayerWeights,
  rows: number,
  bits: 4 | 8,
  block: number,
): string {
  const columns = numbers.length / rows;
  const size = wholeBlock(columns, block);
  const blocks = perBlock(numbers, [rows, columns], 1, bits, size);
  const view = [rows, columns / size, size];
  const stored = integersOf(edit, name, view, blocks.integers, bits);
  const float = edit.node('Cast', [stored], `${name}/cast`, { to: FLOAT });
  const factors = tensor('float32', [rows, columns / size, 1], blocks.scales);
  const scale = edit.constant(`${name}/scale`, factors);
  const product = edit.node('Mul', [float, scale], `${name}/product`);
  const sizes = tensor('int64', [shape.length], BigInt64Array.from(shape, BigInt));
  return edit.node('Reshape', [product, edit.constant(`${name}/shape`, sizes)], `${name}/float`);
}

/** The largest block up to the wanted one that divides a row; the row, where that is small. */
export function wholeBlock(columns: number, wanted: number): number {
  for (let size = Math.min(wanted, columns); size >= LEAST_BLOCK; size--) {
    if (columns % size === 0) return size;
  }
  return columns;
}

function integersOf(
  edit: GraphEdit,
  name: string,
  shape: readonly number[],
  integers: Int8Array,
  bits: 4 | 8,
): string {
  return bits === 8
    ? edit.constant(`${name}/int8`, int8Tensor(shape, integers))
    : edit.packedConstant(`${name}/int4`, 'int4', shape, packed(integers));
}

interface Blocks {
  readonly integers: Int8Array;
  readonly scales: Float32Array;
  /** The shape of the scales. */
  readonly shape: readonly number[];
}

export function perBlock(
  numbers: Float32Array,
  [rows = 0, columns = 0]: readonly number[],
  along: 0 | 1,
  bits: 4 | 8,
  block: number,
): Blocks {
  const length = along === 0 ? rows : columns;
  const lines = along === 0 ? columns : rows;
  const stride = along === 0 ? columns : 1;
  const count = Math.ceil(length / block);
  const shape = along === 0 ? [count, lines] : [lines, count];
  const scales = new Float32Array(count * lines);
  const integers = new Int8Array(numbers.length);
  const lowest = -(2 ** (bits - 1));
  for (let line = 0; line < lines; line++) {
    const start = along === 0 ? line : line * columns;
    for (let at = 0; at < count; at++) {
      const from = start + at * block * stride;
      const size = Math.min(block, length - at * block);
      const scale = blockScale(numbers, from, size, stride, lowest);
      scales[along === 0 ? at * lines + line : line * count + at] = scale;
      for (let i = 0; i < size; i++) {
        const place = from + i * stride;
        integers[place] = stepOf(numbers[place]!, scale, lowest);
      }
    }
  }
  return { integers, scales, shape };
}

/** The numbers that blocks stand for, in the order of the float ones. */
export function restoredBlocks(
  { integers, scales }: Blocks,
  [rows = 0, columns = 0]: readonly number[],
  along: 0 | 1,
  block: number,
): Float32Array {
  const count = Math.ceil((along === 0 ? rows : columns) / block);
  return Float32Array.from(integers, (integer, place) => {
    const [row, column] = [Math.floor(place / columns), place % columns];
    const scale =
      along === 0
        ? scales[Math.floor(row / block) * columns + column]!
        : scales[row * count + Math.floor(column / block)]!;
    return integer * scale;
  });
}

/** Scales that are tried for a block of 4 bits, as shares of the one that reaches its extreme. */
const SHARES = [1, 0.95, 0.9, 0.85, 0.8];

/**
 * The scale with the least squared error. The integers reach one further below zero than above, so
 * that a negative scale suits a block whose extreme is positive.
 */
function blockScale(
  numbers: Float32Array,
  from: number,
  size: number,
  stride: number,
  lowest: number,
): number {
  let extreme = 0;
  for (let i = 0; i < size; i++) {
    const value = numbers[from + i * stride]!;
    if (Math.abs(value) > Math.abs(extreme)) extreme = value;
  }
  const symmetric = weightScale(Math.abs(extreme), -lowest - 1);
  if (lowest < -8 || extreme === 0) return symmetric;
  const full = -Math.sign(extreme) * weightScale(Math.abs(extreme), -lowest);
  let best = symmetric;
  let least = Infinity;
  for (const base of [symmetric, full]) {
    for (const share of SHARES) {
      const scale = Math.fround(base * share);
      let error = 0;
      for (let i = 0; i < size; i++) {
        const value = numbers[from + i * stride]!;
        error += (value - stepOf(value, scale, lowest) * scale) ** 2;
      }
      if (error < least) [best, least] = [scale, error];
    }
  }
  return best;
}

function stepOf(value: number, scale: number, lowest: number): number {
  return Math.max(lowest, Math.min(-lowest - 1, roundToEven(value / scale)));
}

/** Two integers in a byte, the first in the low bits. */
function packed(integers: Int8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(integers.length / 2));
  for (let i = 0; i < integers.length; i++) bytes[i >> 1]! |= (integers[i]! & 15) << (4 * (i & 1));
  return bytes;
}
