/**
 * Synthetic requests for warming, before the first real one.
 *
 * Values are chosen to be valid for most models: floats in [0, 1), integers 0 and 1 (valid as most
 * indices). Rows differ, so that a model that mixes them is detected.
 */
import {
  elementCount,
  seededRandom,
  stringTensor,
  tensorOfNumbers,
  type NumericTensor,
  type NumericType,
  type Random,
  type Signature,
  type Tensor,
  type TensorMap,
} from '@skein/onnx';

/** Shapes by input name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/**
 * Shapes for a model without a real request, most likely first: open sizes as in a small image,
 * then only the last one as in a frame of audio, then 1 everywhere. The first dimension is 1.
 */
export function likelyShapes({ inputs }: Signature): Shapes[] {
  const fill = (sizeAt: (axis: number, rank: number) => number): Shapes =>
    new Map(
      inputs.map(({ name, shape }) => [
        name,
        shape.map((size, axis) => (typeof size === 'number' ? size : sizeAt(axis, shape.length))),
      ]),
    );
  return [
    fill((axis) => (axis === 0 ? 1 : 64)),
    fill((axis, rank) => (axis > 0 && axis === rank - 1 ? 512 : 1)),
    fill(() => 1),
  ];
}

export function shapesOf(inputs: TensorMap): Shapes {
  return new Map([...inputs].map(([name, { shape }]) => [name, shape]));
}

/** @param rows size of the first dimension of every input; undefined keeps it as in `shapes`. */
export function syntheticRequest(
  signature: Signature,
  shapes: Shapes,
  rows: number | undefined,
  seed: number,
): Map<string, Tensor> {
  const random = seededRandom(seed);
  const inputs = new Map<string, Tensor>();
  for (const { name, type } of signature.inputs) {
    const given = shapes.get(name)!;
    const shape = rows === undefined ? given : [rows, ...given.slice(1)];
    inputs.set(name, type === 'string' ? strings(shape, random) : numbers(type, shape, random));
  }
  return inputs;
}

function strings(shape: readonly number[], random: Random): Tensor {
  const words = Array.from({ length: elementCount(shape) }, () =>
    random.next() < 0.5 ? 'skein' : 'goose',
  );
  return stringTensor(shape, words);
}

function numbers(type: NumericType, shape: readonly number[], random: Random): NumericTensor {
  const isFloat = type.includes('float');
  const elements = Array.from({ length: elementCount(shape) }, () => {
    const value = random.next();
    return isFloat ? value : Math.round(value);
  });
  return tensorOfNumbers(type, shape, elements);
}
