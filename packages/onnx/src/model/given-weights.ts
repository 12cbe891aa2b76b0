/** Replaces the weights of a model by tensors of another file. */
import type { TensorProto } from 'onnx-buf';
import { unsupportedModel } from '../onnx-error.ts';
import { countOf, elementTypeName, rawByteLength } from '../tensor/element-type.ts';
import { numbersOf } from '../tensor/numbers.ts';
import { tensor, type NumericTensor } from '../tensor/tensor.ts';
import { LARGEST_FILE } from './external-data.ts';
import type { Model } from './model.ts';
import { tensorProto } from './protos.ts';

/** How tensors and the initialisers of a graph differ, each by name. All empty: they fit. */
export interface WeightDifferences {
  /** Weights of the graph without a tensor. */
  readonly missing: readonly string[];
  /** Tensors without an initialiser. */
  readonly extra: readonly string[];
  /** `name is float32[2, 3], not float32[3, 2]`: the tensor first. */
  readonly unfit: readonly string[];
}

/** Sizes, indices and masks of the graph itself, which no program keeps among its weights. */
const CONSTANTS: ReadonlySet<string> = new Set(['int32', 'int64', 'bool', 'string']);

/**
 * Replaces each initialiser of the graph that has a tensor of its name, in place, when all fit. A scalar, and an
 * initialiser of `CONSTANTS`, may have no tensor and stays. A tensor of 16-bit floats is widened for float32.
 *
 * @throws OnnxError `unsupported` when the model would be too large for one file.
 */
export function replaceWeights(
  model: Model,
  tensors: ReadonlyMap<string, NumericTensor>,
): WeightDifferences {
  const initializers = model.graph?.initializer ?? [];
  const names = new Set(initializers.map(({ name }) => name));
  const given = initializers.flatMap((stored) => {
    const found = tensors.get(stored.name);
    return found === undefined ? [] : [{ stored, found }];
  });
  const differences: WeightDifferences = {
    missing: initializers
      .filter((stored) => !tensors.has(stored.name) && !mayStay(stored))
      .map(({ name }) => name),
    extra: [...tensors.keys()].filter((name) => !names.has(name)),
    unfit: given
      .filter(({ stored, found }) => !fits(stored, found))
      .map(
        ({ stored, found }) =>
          `${stored.name} is ${typed(found.type, found.shape)}, not ${typed(elementTypeName(stored.dataType), stored.dims)}`,
      ),
  };
  if (Object.values(differences).every(({ length }) => length === 0)) {
    requireHeld(given.map(({ stored }) => stored));
    const replaced = new Map(
      given.map(({ stored, found }) => [stored, replacement(stored, found)]),
    );
    model.graph!.initializer = initializers.map((each) => replaced.get(each) ?? each);
  }
  return differences;
}

function requireHeld(stored: readonly TensorProto[]): void {
  const sizes = stored.map(({ dataType, dims }) => rawByteLength(dataType, countOf(dims)) ?? 0);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total <= LARGEST_FILE) return;
  throw unsupportedModel(
    `The weights take ${total} bytes, more than one ONNX file can hold (${LARGEST_FILE}). Export the model with float16 weights, or quantise it.`,
  );
}

const mayStay = ({ dims, dataType }: TensorProto): boolean =>
  dims.length === 0 || CONSTANTS.has(elementTypeName(dataType));

function fits({ dims, dataType }: TensorProto, { type, shape }: NumericTensor): boolean {
  const wanted = elementTypeName(dataType);
  return (type === wanted || isWidened(type, wanted)) && shape.join() === dims.join();
}

const isWidened = (from: string, to: string): boolean =>
  to === 'float32' && (from === 'float16' || from === 'bfloat16');

function replacement(
  { name, dataType, docString }: TensorProto,
  found: NumericTensor,
): TensorProto {
  const value = isWidened(found.type, elementTypeName(dataType))
    ? tensor('float32', found.shape, Float32Array.from(numbersOf(found) as Float32Array))
    : found;
  const proto = tensorProto(name, value);
  if (docString !== '') proto.docString = docString;
  return proto;
}

const typed = (type: string, shape: readonly (number | bigint)[]): string =>
  `${type}[${shape.join(', ')}]`;
