/**
 * Encodes arrays of a file, such as bytes of images, into the floats of a model: a cast, a shift, a
 * scale and a reshape, stored in the model like the encoding of a table.
 */
import {
  elementCount,
  elementTypeNumber,
  GraphBuilder,
  signatureOf,
  tensor,
  values,
  withGraph,
  type Model,
  type NumericTensor,
  type NumericType,
} from '@skein/onnx';
import { dataError, modelError } from '../../train-error.ts';
import { momentsOf } from './moments.ts';
import { rowSet, type RowSet } from '../rows/row-set.ts';
import { isStored, storedNumbers, type StoredRows } from '../rows/stored.ts';

export interface ArrayEncoding {
  /** Name of the encoded model's input. */
  readonly name: string;
  readonly type: NumericType;
  /** Shape of one row. */
  readonly shape: readonly number[];
  /** Subtracted from every element. */
  readonly shift: number;
  /** Divisor of every element. */
  readonly scale: number;
}

/**
 * `unit` scales bytes to [0, 1]; `standard` scales the training rows to mean 0 and deviation 1;
 * `none` only casts.
 */
export type ArrayScaling = 'unit' | 'standard' | 'none';

/**
 * @param rows to fit on: the training rows.
 * @throws TrainError `data` for 16-bit floats, which no backend carries.
 */
export function fitArrayEncoding(
  array: NumericTensor | StoredRows,
  { scaling, rows }: { readonly scaling: ArrayScaling; readonly rows: ArrayLike<number> | RowSet },
): ArrayEncoding {
  const { type, shape } = array;
  if (type === 'float16' || type === 'bfloat16') {
    throw dataError(`The rows are ${type}, which cannot be trained with: store them as float32.`);
  }
  const own = { name: type === 'uint8' ? 'pixels' : 'features', type, shape: shape.slice(1) };
  if (scaling === 'none') return { ...own, shift: 0, scale: 1 };
  if (scaling === 'unit') return { ...own, shift: 0, scale: 255 };
  const width = elementCount(own.shape);
  const elements = isStored(array) ? storedNumbers(array) : values(array);
  const { mean = 0, deviation = 1 } =
    momentsOf(elements, 'within' in rows ? rows : rowSet(rows), width) ?? {};
  return { ...own, shift: mean, scale: deviation };
}

/**
 * The model with the encoding before an input; the new input is [batch, …encoding.shape].
 * @throws TrainError `model` when the rows have another number of elements than the input takes.
 */
export function withArrayEncoding(model: Model, encoding: ArrayEncoding, input: string): Model {
  const { name, type, shape, shift, scale } = encoding;
  const spec = signatureOf(model).inputs.find((each) => each.name === input);
  if (spec === undefined) throw modelError(`The model has no input '${input}'.`);
  const [batch = null, ...wanted] = spec.shape;
  const sizes = wanted.map(Number);
  const given = elementCount(shape);
  if (spec.type !== 'float32') {
    throw modelError(
      `Input '${input}' takes ${spec.type}, and the rows are ${type} [${shape.join(', ')}]: ${
        spec.type === 'float64' || spec.type === 'float16'
          ? 'export the model in float32'
          : `store them as ${spec.type} [${wanted.map((size) => size ?? '?').join(', ')}], without a scaling`
      }.`,
    );
  }
  if (sizes.includes(NaN) || elementCount(sizes) !== given) {
    throw modelError(
      `Input '${input}' is ${spec.type} [${spec.shape.map((size) => size ?? '?').join(', ')}], but a row of the data has the shape [${shape.join(', ')}], ${given} elements.`,
    );
  }
  const border = new GraphBuilder('encoder');
  border.input(name, type, [batch, ...shape]);
  const emit = (operator: string, inputs: readonly string[], attributes = {}) =>
    border.node(operator, inputs, attributes, {
      name: `encoder/${operator}_${border.graph().node.length}`,
    })[0];
  const constant = (value: NumericTensor) => emit('Constant', [], { value });
  const scalar = (number: number) => constant(tensor('float32', [], Float32Array.of(number)));
  let value = emit('Cast', [name], { to: elementTypeNumber('float32') });
  if (shift !== 0) value = emit('Sub', [value, scalar(shift)]);
  if (scale !== 1) value = emit('Div', [value, scalar(scale)]);
  const target = constant(
    tensor('int64', [sizes.length + 1], BigInt64Array.from([-1, ...sizes], BigInt)),
  );
  border.node('Reshape', [value, target], {}, { outputs: [input], name: 'encoder/Reshape' });
  const { node, input: inputs } = border.graph();
  const graph = model.graph!;
  return withGraph(model, {
    node: [...node, ...graph.node],
    input: [...inputs, ...graph.input.filter((each) => each.name !== input)],
  });
}
