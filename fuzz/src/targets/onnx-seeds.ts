/**
 * Small real models: one for every gradient rule, the ONNX project's own where they are installed, and
 * shapes that a graph computes.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GraphBuilder, readModel, tensor, withGraph, writeModel } from '@skein/onnx';
import { TensorProtoSchema, type TensorProto } from 'onnx-buf';

const FIXTURES = fileURLToPath(
  new URL('../../../packages/onnx/fixtures/gradients', import.meta.url),
);
/** Debian's libonnx-testdata. */
const TEST_DATA = '/usr/share/libonnx-testdata/data';
const LARGEST_BYTES = 4096;

export function smallModels(): readonly Uint8Array[] {
  const files = [FIXTURES, TEST_DATA].flatMap((cwd) =>
    globSync('**/*.onnx', { cwd })
      .sort()
      .map((name) => `${cwd}/${name}`)
      .filter((path) => statSync(path).size <= LARGEST_BYTES),
  );
  return [
    computedShapes(),
    ...files.flatMap((path) => {
      const bytes = new Uint8Array(readFileSync(path));
      const filled = withGivenInputs(bytes, dirname(path));
      return filled === undefined ? [bytes] : [bytes, filled];
    }),
  ];
}

/** The models of every gradient rule: all have weights and one output. */
export function trainableModels(): readonly Uint8Array[] {
  return globSync('**/*.onnx', { cwd: FIXTURES })
    .sort()
    .filter((name) => !name.endsWith('.expected.onnx'))
    .map((name) => new Uint8Array(readFileSync(`${FIXTURES}/${name}`)))
    .filter(({ length }) => length <= 4 * LARGEST_BYTES);
}

/** The model with its small integer inputs as initialisers: axes, shapes and indices become known. */
function withGivenInputs(bytes: Uint8Array, folder: string): Uint8Array | undefined {
  const model = readModel(bytes);
  const given: TensorProto[] = [];
  for (const [index, { name }] of model.graph!.input.entries()) {
    const file = `${folder}/test_data_set_0/input_${index}.pb`;
    if (!existsSync(file) || statSync(file).size > 200) continue;
    try {
      const value = fromBinary(TensorProtoSchema, readFileSync(file));
      if (value.dataType === INT64) given.push(Object.assign(value, { name }));
    } catch {
      // Sequences and optionals are not tensors.
    }
  }
  const names = new Set(given.map(({ name }) => name));
  if (names.size === 0) return undefined;
  const input = model.graph!.input.filter(({ name }) => !names.has(name));
  return writeModel(
    withGraph(model, { input, initializer: [...model.graph!.initializer, ...given] }),
  );
}

/** TensorProto.DataType. */
const INT64 = 7;

/** The shapes that exporters write for `x.reshape(x.shape[0] - 1, -1)`, `torch.zeros(…)` and `x[::2]`. */
function computedShapes(): Uint8Array {
  const graph = new GraphBuilder('shapes');
  const x = graph.input('x', 'float32', ['batch', 3, 4]);
  const ints = (name: string, ...list: number[]) =>
    graph.initializer(name, tensor('int64', [list.length], BigInt64Array.from(list, BigInt)));
  const [shape] = graph.node('Shape', [x]);
  const [last] = graph.node('Gather', [shape, ints('at', 2)], { axis: 0 });
  const [less] = graph.node('Sub', [last, ints('one', 1)]);
  const [twice] = graph.node('Mul', [less, ints('two', 2)]);
  const [half] = graph.node('Div', [twice, ints('three', 3)]);
  const [sizes] = graph.node('Concat', [less, half, ints('open', 2)], { axis: 0 });
  const [made] = graph.node('ConstantOfShape', [sizes], {
    value: tensor('int64', [1], BigInt64Array.of(1n)),
  });
  const [turned] = graph.node('Transpose', [made], { perm: [2, 0, 1] });
  const [cut] = graph.node('Slice', [
    turned,
    ints('start', 0),
    ints('end', 9),
    ints('axis', 1),
    ints('step', 1),
  ]);
  const [flat] = graph.node('Reshape', [cut, ints('minus', -1)]);
  const [tiled] = graph.node('Tile', [flat, ints('times', 2)]);
  const [wide] = graph.node('Expand', [tiled, ints('to', 2, 1)]);
  const [joined] = graph.node('Reshape', [x, ints('rows', 0, -1)]);
  const [padded] = graph.node('Pad', [joined, ints('pads', 0, 1, 0, 1)]);
  graph.output(wide, 'int64', [null, null]);
  graph.output(padded, 'float32', ['batch', null]);
  return writeModel(graph.model());
}
