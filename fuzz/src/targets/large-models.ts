/**
 * Models of up to a megabyte that are built to cost more than they weigh: many of everything, long
 * names, lists that double, loops whose length is a number in the file.
 */
import {
  float,
  GraphBuilder,
  tensor,
  writeModel,
  type Dimension,
  type Model,
  type ModelOptions,
} from '@skein/onnx';

/** A count of a model of full size, for a smaller one. */
type Scale = (count: number) => number;

const LARGE_MODELS: Readonly<Record<string, (n: Scale) => Uint8Array>> = {
  'a chain of nodes': (n) =>
    built((graph, x) => {
      let at = x;
      for (let i = 0; i < n(20_000); i++) [at] = graph.node('Relu', [at], {}, { name: `n${i}` });
      return at;
    }),
  'nodes that read everything before them twice': (n) =>
    built((graph, x) => {
      let at = x;
      for (let i = 0; i < n(10_000); i++) [at] = graph.node('Add', [at, at], {}, { name: `n${i}` });
      return at;
    }),
  'a value that is read many times': (n) =>
    built((graph, x) => {
      const parts = Array.from(
        { length: n(8000) },
        (_, i) => graph.node('Neg', [x], {}, { name: `n${i}` })[0],
      );
      return graph.node('Sum', parts)[0];
    }),
  'many weights': (n) =>
    built((graph, x) => {
      let at = x;
      for (let i = 0; i < n(5000); i++) {
        const w = graph.initializer(`w${i}`, tensor('float32', [4], new Float32Array(4)));
        [at] = graph.node('Add', [at, w], {}, { name: `n${i}` });
      }
      return at;
    }),
  'many slices of one value': (n) =>
    built((graph, x) => {
      const parts = Array.from({ length: n(4000) }, (_, i) => {
        const [start, end] = [0, 1].map((n) => ints(graph, `s${i}_${n}`, [(i % 3) + n]));
        return graph.node('Slice', [x, start!, end!, axis(graph)], {}, { name: `n${i}` })[0];
      });
      return graph.node('Sum', parts)[0];
    }),
  'one node with many inputs': (n) =>
    built(
      (graph, x) =>
        graph.node(
          'Sum',
          Array.from({ length: n(200_000) }, () => x),
        )[0],
    ),
  'one join of many inputs': (n) =>
    built(
      (graph, x) =>
        graph.node(
          'Concat',
          Array.from({ length: n(100_000) }, () => x),
          { axis: 1 },
        )[0],
    ),
  'one node with many attributes': (n) =>
    built(
      (graph, x) =>
        graph.node(
          'Relu',
          [x],
          Object.fromEntries(Array.from({ length: n(50_000) }, (_, i) => [`a${i}`, i])),
        )[0],
    ),
  'one node with many outputs': (n) =>
    built((graph, x) => graph.node('Split', [x], { axis: 1 }, { outputs: n(100_000) })[0]),
  'a list that doubles': () =>
    built((graph, x) => {
      let list = ints(graph, 'list', [1, 1]);
      for (let i = 0; i < 60; i++) [list] = graph.node('Concat', [list, list], { axis: 0 });
      return graph.node('Expand', [x, list])[0];
    }),
  'a symbol that doubles': () =>
    built((graph, x) => {
      let [list] = graph.node('Shape', [x]);
      for (let i = 0; i < 60; i++) [list] = graph.node('Mul', [list, list]);
      return graph.node('Expand', [x, list])[0];
    }),
  'sums of symbols that double': () =>
    built((graph, x) => {
      let at = x;
      for (let i = 0; i < 60; i++) [at] = graph.node('Concat', [at, at], { axis: 0 });
      return at;
    }),
  'a symbol of brackets': (n) =>
    built(
      (graph, x) => graph.node('Concat', [x, x], { axis: 0 })[0],
      [`${'('.repeat(n(300_000))}n${'+1)'.repeat(n(300_000))}`, 4],
    ),
  'long names': (n) =>
    built((graph, x) => {
      let at = x;
      for (let i = 0; i < 50; i++) {
        [at] = graph.node('NonZero', [at], {}, { name: `${'n'.repeat(n(10_000))}${i}` });
      }
      return at;
    }),
  'an unsqueeze along many axes': (n) =>
    built((graph, x) => graph.node('Unsqueeze', [x], { axes: range(n(200_000)) })[0], undefined, {
      opset: 11,
    }),
  'a slice along many axes': (n) =>
    built(
      (graph, x) =>
        graph.node('Slice', [x], { starts: range(n(100_000)), ends: range(n(100_000)) })[0],
      undefined,
      { opset: 9 },
    ),
  'an order of many axes': (n) =>
    built((graph, x) => graph.node('Transpose', [x], { perm: range(n(200_000)) })[0]),
  'an input with many axes': (n) =>
    built(
      (graph, x) => graph.node('ReduceSum', [x], { keepdims: 1 })[0],
      Array.from({ length: n(200_000) }, () => 1),
    ),
  'a long equation': (n) =>
    built(
      (graph, x) => graph.node('Einsum', [x], { equation: `${'a,'.repeat(n(200_000))}->a` })[0],
    ),
  'a constant that is long': (n) =>
    built((graph, x) => {
      const [list] = graph.node('Constant', [], { value_ints: range(n(200_000)) });
      return graph.node('Reshape', [x, list])[0];
    }),
  'a chain of branches': (n) =>
    built((graph, x) => {
      let condition = graph.initializer('first', tensor('bool', [], Uint8Array.of(1)));
      for (let i = 0; i < n(3000); i++) {
        const branch = new GraphBuilder('branch');
        branch.node('Identity', [condition], {}, { outputs: ['c'] });
        branch.output('c', 'bool', []);
        const attributes = { then_branch: { graph: branch }, else_branch: { graph: branch } };
        [condition] = graph.node('If', [condition], attributes, { name: `n${i}` });
      }
      return graph.node('Where', [condition, x, x])[0];
    }),
  'a chain of copies': (n) =>
    built((graph, x) => {
      let at = x;
      for (let i = 0; i < n(20_000); i++)
        [at] = graph.node('Identity', [at], {}, { name: `n${i}` });
      return at;
    }),
  'one convolution that is scaled many times': (n) =>
    built(
      (graph, x) => {
        const data = new Float32Array(n(60_000));
        const w = graph.initializer('w', tensor('float32', [data.length, 1, 1], data));
        const two = graph.initializer('two', tensor('float32', [], Float32Array.of(2)));
        let [at] = graph.node('Conv', [x, w]);
        for (let i = 0; i < n(10_000); i++)
          [at] = graph.node('Mul', [at, two], {}, { name: `n${i}` });
        return at;
      },
      [1, 1, null],
    ),
  'weights that are rearranged many times': (n) =>
    built((graph) => {
      const data = new Float32Array(n(60_000));
      let at = graph.initializer('w', tensor('float32', [data.length / 2, 2], data));
      for (let i = 0; i < n(10_000); i++)
        [at] = graph.node('Transpose', [at], {}, { name: `n${i}` });
      return at;
    }),
  'a sequence of a billion steps': () =>
    built(
      (graph, x) => {
        const w = graph.initializer('w', tensor('float32', [1, 8, 4], new Float32Array(32)));
        const r = graph.initializer('r', tensor('float32', [1, 8, 2], new Float32Array(16)));
        return graph.node('LSTM', [x, w, r], { hidden_size: 2 })[0];
      },
      [2 ** 30, 1, 4],
    ),
  'a resize of a billion rows': () =>
    built(
      (graph, x) => {
        const scales = graph.initializer(
          'scales',
          tensor('float32', [4], Float32Array.of(1, 1, 2 ** 20, 1.5)),
        );
        return graph.node('Resize', [x, '', scales], { mode: 'linear' })[0];
      },
      [1, 1, 2 ** 20, 2 ** 20],
    ),
  'a window of a billion cells': () =>
    built(
      (graph, x) =>
        graph.node('AveragePool', [x], {
          kernel_shape: [2 ** 15, 2 ** 15],
          pads: [1, 1, 1, 1],
          strides: [1, 1],
        })[0],
      [1, 1, 2 ** 20, 2 ** 20],
    ),
  'a maximum over a billion cells': () =>
    built(
      (graph, x) =>
        graph.node('MaxPool', [x], { kernel_shape: [2 ** 15, 2 ** 15], strides: [1, 1] })[0],
      [1, 1, 2 ** 20, 2 ** 20],
      { opset: 11 },
    ),
  'a border of a billion cells': () =>
    built(
      (graph, x) =>
        graph.node('Pad', [x, ints(graph, 'pads', [0, 2 ** 30, 0, 2 ** 30])], {
          mode: 'reflect',
        })[0],
      [1, 2 ** 20],
    ),
  'a slice that counts down for ever': () =>
    built(
      (graph, x) => {
        const [shape] = graph.node('Shape', [x]);
        const all = ['from', 'to', 'along', 'step'].map((name, i) =>
          ints(graph, name, [[-1], [-(2 ** 62)], [0], [-1]][i]!),
        );
        const [sizes] = graph.node('Sub', [shape, ints(graph, 'more', [9, 9])]);
        const [made] = graph.node('ConstantOfShape', [sizes], {
          value: tensor('int64', [1], BigInt64Array.of(1n)),
        });
        const [cut] = graph.node('Slice', [made, ...all]);
        return graph.node('Reshape', [x, cut])[0];
      },
      [4, 4],
    ),
  'messages of nothing': (n) =>
    Uint8Array.from({ length: n(1 << 20) }, (_, i) => [0x0a, 0][i % 2]!),
  'a graph of nodes of nothing': (n) => {
    const nodes = Buffer.alloc(n(1 << 20), Buffer.from([0x0a, 0]));
    const head = Buffer.from([0x08, 8, 0x42, 2, 0x10, 17, 0x3a, ...varint(nodes.length)]);
    return Buffer.concat([head, nodes]);
  },
  'a negative slope of a billion digits': () =>
    built(
      (graph, x) => graph.node('LeakyRelu', [x], { alpha: float(1e38) })[0],
      [2 ** 52, 2 ** 52],
    ),
};

export const LARGE_MODEL_NAMES = Object.keys(LARGE_MODELS);

/** @param fraction of the full size, of about a megabyte. Counts inside a model stay what they are. */
export function largeModels(fraction: number): readonly Uint8Array[] {
  const scale: Scale = (count) => Math.max(2, 2 * Math.round((count * fraction) / 2));
  return Object.values(LARGE_MODELS).map((make) => make(scale));
}

/** A model of one input and one output; what lies between is given. */
function built(
  between: (graph: GraphBuilder, x: string) => string,
  shape: readonly Dimension[] = ['batch', 4],
  options: ModelOptions = {},
): Uint8Array {
  const graph = new GraphBuilder('large');
  const y = between(graph, graph.input('x', 'float32', shape));
  graph.output(y, 'float32', ['rows', 4]);
  const model: Model = graph.model(options);
  return writeModel(model);
}

function ints(graph: GraphBuilder, name: string, list: readonly number[]): string {
  return graph.initializer(name, tensor('int64', [list.length], BigInt64Array.from(list, BigInt)));
}

const axes = new WeakSet<GraphBuilder>();

/** One list for all slices of a graph. */
function axis(graph: GraphBuilder): string {
  if (!axes.has(graph)) ints(graph, 'axis', [1]);
  axes.add(graph);
  return 'axis';
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, i) => i);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >> 7)];
}
