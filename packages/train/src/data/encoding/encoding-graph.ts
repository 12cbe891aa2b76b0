/**
 * The encoding of a table as nodes before a model's input. Its constants are `Constant` nodes, not
 * initialisers, and so are never trained.
 */
import {
  elementTypeNumber,
  GraphBuilder,
  signatureOf,
  tensor,
  withGraph,
  type Model,
  type NumericTensor,
} from '@skein/onnx';
import { modelError } from '../../train-error.ts';
import type { CategoryFeature, Encoder, Feature, NumberFeature } from './encoder.ts';

/**
 * The model with the encoding before it: it takes `features`, raw rows [batch, features], instead of
 * the encoded ones.
 *
 * @param input name of the model's input, float32 [batch, width].
 * @throws TrainError `model` when the input is not there or of another width.
 */
export function withEncoder(model: Model, encoder: Encoder, input: string): Model {
  const spec = signatureOf(model).inputs.find(({ name }) => name === input);
  if (spec === undefined) throw modelError(`The model has no input '${input}'.`);
  const [batch = null, width] = spec.shape;
  if (spec.type !== 'float32' || spec.shape.length !== 2 || width !== encoder.width) {
    throw modelError(
      `Input '${input}' is ${spec.type} [${spec.shape.join(', ')}], but the encoding makes float32 [batch, ${encoder.width}].`,
    );
  }
  const builder = new GraphBuilder('encoder');
  builder.input('features', 'float32', [batch, encoder.features.length]);
  emitEncoding(builder, encoder, input);
  const border = builder.graph();
  const graph = model.graph!;
  return withGraph(model, {
    node: [...border.node, ...graph.node],
    input: [...border.input, ...graph.input.filter(({ name }) => name !== input)],
  });
}

function emitEncoding(builder: GraphBuilder, { features }: Encoder, output: string): void {
  const emit = (operator: string, inputs: readonly string[], attributes = {}, name?: string) => {
    const outputs = name === undefined ? {} : { outputs: [name] };
    const label = `encoder/${operator}_${builder.graph().node.length}`;
    return builder.node(operator, inputs, attributes, { name: label, ...outputs })[0];
  };
  const constant = (value: NumericTensor) => emit('Constant', [], { value });
  const floats = (numbers: readonly number[]) =>
    constant(tensor('float32', [numbers.length], new Float32Array(numbers)));
  const blocks: string[] = [];
  for (let at = 0; at < features.length;) {
    // Adjacent numbers are encoded together.
    const numbers = leadingNumbers(features.slice(at));
    if (numbers.length > 0) {
      const columns = Array.from({ length: numbers.length }, (_, i) => BigInt(at + i));
      const picked =
        numbers.length === features.length
          ? 'features'
          : emit(
              'Gather',
              [
                'features',
                constant(tensor('int64', [columns.length], BigInt64Array.from(columns))),
              ],
              { axis: 1 },
            );
      blocks.push(emitNumbers(emit, floats, numbers, picked));
      at += numbers.length;
      continue;
    }
    const { categories } = features[at] as CategoryFeature;
    const index = constant(tensor('int64', [], BigInt64Array.of(BigInt(at))));
    const codes = emit('Cast', [emit('Gather', ['features', index], { axis: 1 })], {
      to: elementTypeNumber('int64'),
    });
    const depth = constant(tensor('int64', [], BigInt64Array.of(BigInt(categories.length))));
    blocks.push(emit('OneHot', [codes, depth, floats([0, 1])], { axis: -1 }));
    at++;
  }
  emit('Concat', blocks, { axis: 1 }, output);
}

/** Fills in missing values first; nodes without effect are omitted. */
function emitNumbers(
  emit: (operator: string, inputs: readonly string[]) => string,
  floats: (numbers: readonly number[]) => string,
  numbers: readonly NumberFeature[],
  picked: string,
): string {
  let value = picked;
  if (numbers.some(({ fill }) => fill !== undefined)) {
    const fills = floats(numbers.map(({ fill }) => fill ?? NaN));
    value = emit('Where', [emit('IsNaN', [value]), fills, value]);
  }
  if (numbers.some(({ mean }) => mean !== 0)) {
    value = emit('Sub', [value, floats(numbers.map(({ mean }) => mean))]);
  }
  if (numbers.some(({ deviation }) => deviation !== 1)) {
    value = emit('Div', [value, floats(numbers.map(({ deviation }) => deviation))]);
  }
  return value;
}

function leadingNumbers(features: readonly Feature[]): readonly NumberFeature[] {
  const end = features.findIndex(({ kind }) => kind !== 'number');
  return (end < 0 ? features : features.slice(0, end)) as readonly NumberFeature[];
}
