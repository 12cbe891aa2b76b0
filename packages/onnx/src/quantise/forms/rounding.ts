/** Rounded weights of a layer in a form, and the bytes that the form takes. */
import { elementCount } from '../../tensor/tensor.ts';
import type { Layer, LayerWeights } from '../layers.ts';
import type { Form } from '../plan.ts';
import { perChannel, restored } from '../weights.ts';
import { DEFAULT_BLOCK, perBlock, restoredBlocks, rowsOf, wholeBlock } from './block-wise.ts';
import { transposed } from './transposed.ts';

/** The weights of a layer as a runtime computes with them, in the order of the float ones. */
export function roundedWeights(
  layer: Layer,
  form: Form,
  weightBits: 7 | 8 = 8,
): readonly Float32Array[] {
  return layer.weights.map((weights) => {
    switch (form) {
      case 'float':
        return weights.numbers;
      case 'static':
      case 'dynamic':
      case 'stored8':
        return restored(weights, perChannel(weights, weightBits));
      case 'stored4': {
        const { shape, block } = storedView(layer, weights);
        const blocks = perBlock(weights.numbers, shape, 1, 4, block);
        return restoredBlocks(blocks, shape, 1, block);
      }
      case 'block4':
      case 'block8':
        return productBlocks(layer, form === 'block4' ? 4 : 8);
    }
  });
}

/** Bytes of a layer's integers and scales; the names of its new nodes are not among them. */
export function bytesIn(layer: Layer, form: Form): number {
  return layer.weights.reduce((sum, weights) => {
    const { shape, axis, numbers } = weights;
    const count = numbers.length;
    if (form === 'float') return sum + 4 * count;
    if (form === 'stored4') {
      return sum + count / 2 + (4 * count) / storedView(layer, weights).block;
    }
    if (form === 'block4' || form === 'block8') {
      const rows = count / shape[axis]!;
      const scales = Math.ceil(rows / DEFAULT_BLOCK) * shape[axis]!;
      return sum + (form === 'block4' ? count / 2 : count) + 4 * scales;
    }
    return sum + count + 4 * shape[axis]!;
  }, 0);
}

function storedView(
  layer: Layer,
  weights: LayerWeights,
): { readonly shape: readonly number[]; readonly block: number } {
  const rows = rowsOf(layer, weights);
  const columns = elementCount(weights.shape) / rows;
  return { shape: [rows, columns], block: wholeBlock(columns, DEFAULT_BLOCK) };
}

/** Blocks lie along the inputs; a matrix that is stored the other way round is turned, and back. */
function productBlocks(layer: Layer, bits: 4 | 8): Float32Array {
  const { numbers, shape } = transposed(layer);
  const blocks = perBlock(numbers, shape, 0, bits, DEFAULT_BLOCK);
  const found = restoredBlocks(blocks, shape, 0, DEFAULT_BLOCK);
  if (layer.weights[0]!.axis === 1) return found;
  const [inputs = 0, outputs = 0] = shape;
  return Float32Array.from(
    { length: found.length },
    (_, at) => found[(at % inputs) * outputs + Math.floor(at / inputs)]!,
  );
}
