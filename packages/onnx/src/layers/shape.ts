/** Layers without weights that change the form of a value, or drop some of it. */
import { elementCount, tensor } from '../tensor/tensor.ts';
import type { Layer } from './layer.ts';

/** [batch, …] → [batch, size]. */
export function flatten(): Layer {
  return ({ graph }, x) => ({
    name: graph.node('Flatten', [x.name])[0],
    shape: [elementCount(x.shape)],
  });
}

/** [batch, …] → [batch, …shape] with as many elements. */
export function reshape(shape: readonly number[]): Layer {
  return ({ graph, path }, x) => {
    if (elementCount(shape) !== elementCount(x.shape)) {
      throw new Error(`reshape cannot make [${shape.join(', ')}] of [${x.shape.join(', ')}].`);
    }
    const sizes = BigInt64Array.from([0, ...shape], BigInt);
    const wanted = graph.initializer(`${path}.shape`, tensor('int64', [sizes.length], sizes));
    return { name: graph.node('Reshape', [x.name, wanted])[0], shape };
  };
}

/** While training, drops each element with this probability and scales the rest up; else nothing. */
export function dropout(probability: number): Layer {
  return ({ graph, path }, x) => {
    const ratio = Float32Array.of(probability);
    const given = graph.initializer(`${path}.ratio`, tensor('float32', [], ratio));
    return { name: graph.node('Dropout', [x.name, given])[0], shape: x.shape };
  };
}
