/**
 * Makes constants of inputs. Bit-exact: the model computes what it did for those values.
 */
import type { GraphProto, TensorProto } from 'onnx-buf';
import { withGraph, type Model } from '../model/model.ts';
import { tensorProto } from '../model/protos.ts';
import { signatureOf } from '../model/signature.ts';
import { invalidModel } from '../onnx-error.ts';
import { tensorOfNumbers } from '../tensor/numbers.ts';
import { elementCount, type Dimension, type Tensor, type TensorSpec } from '../tensor/tensor.ts';

/** Values by the names of inputs; a number stands for an input of one element. */
export type Bindings = Readonly<Record<string, number | bigint | Tensor>>;

/**
 * A model without the bound inputs, and without inputs that have an initialiser, which
 * `signatureOf` does not list either. The given model is not changed.
 *
 * @throws OnnxError `invalid` for a name that is not an input, and for a value that does not fit it.
 */
export function bindInputs(model: Model, values: Bindings): Model {
  const graph = model.graph!;
  const bound = Object.entries(values).map(([name, value]) =>
    tensorProto(name, fitting(specOf(model, name), value)),
  );
  const initialised = new Set([...namesOfInitialisers(graph), ...Object.keys(values)]);
  return withGraph(model, {
    input: graph.input.filter(({ name }) => !initialised.has(name)),
    initializer: [...graph.initializer, ...bound],
  });
}

function namesOfInitialisers(graph: GraphProto): readonly string[] {
  const sparse = graph.sparseInitializer.flatMap(({ values }): TensorProto[] =>
    values === undefined ? [] : [values],
  );
  return [...graph.initializer, ...sparse].map(({ name }) => name);
}

function specOf(model: Model, name: string): TensorSpec {
  const { inputs } = signatureOf(model);
  const found = inputs.find((input) => input.name === name);
  if (found !== undefined) return found;
  throw invalidModel(
    `The model has no input '${name}' to bind. It has: ${inputs.map((input) => input.name).join(', ')}.`,
  );
}

function fitting(spec: TensorSpec, value: number | bigint | Tensor): Tensor {
  const bound = typeof value === 'object' ? value : oneElement(spec, value);
  const { type, shape } = bound;
  const fits =
    type === spec.type &&
    shape.length === spec.shape.length &&
    shape.every((size, axis) => fitsAxis(size, spec.shape[axis]!));
  if (fits) return bound;
  throw invalidModel(
    `Input '${spec.name}' is ${shown(spec.type, spec.shape)}; the bound value is ${shown(type, shape)}.`,
  );
}

const fitsAxis = (size: number, wanted: Dimension): boolean =>
  typeof wanted !== 'number' || size === wanted;

const shown = (type: string, shape: readonly Dimension[]): string =>
  `${type}[${shape.map((size) => size ?? '?').join(', ')}]`;

function oneElement({ name, type, shape }: TensorSpec, value: number | bigint): Tensor {
  const sizes = shape.map((size) => (typeof size === 'number' ? size : 1));
  if (type === 'string' || elementCount(sizes) !== 1) {
    throw invalidModel(
      `Input '${name}' is ${shown(type, shape)}; the number ${value} cannot stand for it. Bind a tensor.`,
    );
  }
  try {
    return tensorOfNumbers(type, sizes, [value]);
  } catch (error) {
    throw invalidModel(`Input '${name}' is ${type}, which cannot hold ${value}.`, { cause: error });
  }
}
