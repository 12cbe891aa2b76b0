/** Book-keeping against a loop over examples, natively and in WebAssembly. */
import {
  attention,
  batchNorm,
  conv,
  dense,
  embedding,
  flatten,
  globalAveragePool,
  GraphBuilder,
  layerNorm,
  maxPool,
  positions,
  residual,
  seededRandom,
  sequential,
  tensor,
  transformerBlock,
  withLoss,
  type Layer,
  type LossModel,
  type NumericTensor,
} from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../run/backend.ts';
import { nativeBackend } from '../run/native-backend.ts';
import { wasmBackend } from '../run/wasm-backend.ts';
import { flatten as flat } from '../federated/training/layout.ts';
import { lengthOf } from '../parallel/numbers.ts';
import { clippedStep, openClipped } from './clipped-step.ts';

const BATCH = 5;
const CLASSES = 3;

interface Case {
  readonly graded: (batch: number) => LossModel;
  readonly rows: Record<string, NumericTensor>;
}

const random = seededRandom(11);
const floats = (...shape: number[]): NumericTensor => {
  const count = shape.reduce((all, size) => all * size, 1);
  return tensor(
    'float32',
    shape,
    Float32Array.from({ length: count }, () => 4 * random.next() - 2),
  );
};
const floatsOf = (...numbers: number[]): NumericTensor =>
  tensor('float32', [numbers.length], Float32Array.from(numbers));
const indices = (shape: readonly number[], below: number, from = 0): NumericTensor => {
  const count = shape.reduce((all, size) => all * size, 1);
  const drawn = Array.from({ length: count }, () =>
    BigInt(from + Math.floor(random.next() * (below - from))),
  );
  return tensor('int64', shape, BigInt64Array.from(drawn));
};

/** Classification by layers; the last row is padding. */
function layers(
  shape: readonly number[],
  list: readonly Layer[],
  vocabulary?: number,
  least = 0,
): Case {
  const type = vocabulary === undefined ? 'float32' : 'int64';
  return graph(
    (batch) => sequential({ input: { shape, type }, layers: list, seed: 3, batch }),
    vocabulary === undefined
      ? floats(BATCH, ...shape)
      : indices([BATCH, ...shape], vocabulary, least),
    indices([BATCH], CLASSES),
  );
}

function graph(
  model: (batch: number) => ReturnType<typeof sequential>,
  x: NumericTensor,
  labels: NumericTensor,
): Case {
  return {
    graded: (batch) =>
      withLoss(model(batch), {
        loss: { kind: 'cross-entropy', ...(labels.shape.length > 1 ? { axis: -1 } : {}) },
        target: 'labels',
        weights: 'sample',
        weightName: 'mask',
      }),
    rows: { x, labels, mask: floatsOf(1, 1, 1, 1, 0) },
  };
}

/** An embedding that is read by index and multiplies the last rows too: [batch, 4] → [batch, 4, 7]. */
function tied(batch: number) {
  const builder = new GraphBuilder('tied');
  const x = builder.input('x', 'int64', [batch, 4]);
  const draw = seededRandom(5);
  const fill = (count: number) => Float32Array.from({ length: count }, () => draw.next() - 0.5);
  const table = builder.initializer('table', tensor('float32', [7, 6], fill(42)));
  const bias = builder.initializer('bias', tensor('float32', [6], fill(6)));
  const [seen] = builder.node('Gather', [table, x], { axis: 0 });
  const [shifted] = builder.node('Add', [seen, bias]);
  const [bent] = builder.node('Tanh', [shifted]);
  const [again] = builder.node('Add', [bent, bias]);
  const [flatRows] = builder.node('Reshape', [
    again,
    builder.initializer('rows', tensor('int64', [2], BigInt64Array.of(-1n, 6n))),
  ]);
  const [scores] = builder.node('Gemm', [flatRows, table], { transB: 1 });
  const [y] = builder.node(
    'Reshape',
    [scores, builder.initializer('cubes', tensor('int64', [3], BigInt64Array.of(-1n, 4n, 7n)))],
    {},
    { outputs: ['y'] },
  );
  builder.output(y, 'float32', [batch, 4, 7]);
  return builder.model({ opset: 17 });
}

const CASES: Readonly<Record<string, Case>> = {
  'a perceptron': layers([6], [dense({ units: 5, activation: 'relu' }), dense({ units: CLASSES })]),
  'rows of a sequence, few and wide': layers(
    [2, 9],
    [dense({ units: 8, activation: 'tanh' }), flatten(), dense({ units: CLASSES })],
  ),
  'rows of a sequence, many and narrow': layers(
    [12, 3],
    [dense({ units: 2 }), flatten(), dense({ units: CLASSES })],
  ),
  'a convolution with strides and padding': layers(
    [2, 7, 6],
    [
      conv({ filters: 4, kernel: 3, stride: 2, padding: 1, activation: 'relu' }),
      conv({ filters: 6, kernel: 3, activation: 'relu' }),
      flatten(),
      dense({ units: CLASSES }),
    ],
  ),
  'groups, pooling and a mean': layers(
    [4, 8, 8],
    [
      conv({ filters: 4, kernel: 3, groups: 2, activation: 'relu' }),
      maxPool(),
      conv({ filters: CLASSES, kernel: 1 }),
      globalAveragePool(),
      flatten(),
    ],
  ),
  'pooling over windows that overlap': layers(
    [2, 7, 7],
    [
      conv({ filters: 3, kernel: 3 }),
      maxPool({ size: 3, stride: 2 }),
      flatten(),
      dense({ units: CLASSES }),
    ],
  ),
  'a normalisation of each example': layers(
    [3, 4],
    [layerNorm(), residual(dense({ units: 4 }), layerNorm()), flatten(), dense({ units: CLASSES })],
  ),
  'an embedding with places and a transformer': layers(
    [6],
    [
      embedding({ vocabulary: 9, width: 8 }),
      positions(),
      transformerBlock({ heads: 2 }),
      flatten(),
      dense({ units: CLASSES }),
    ],
    9,
  ),
  'attention over tokens that repeat': layers(
    [5],
    [
      embedding({ vocabulary: 2, width: 4 }),
      attention({ heads: 1 }),
      flatten(),
      dense({ units: CLASSES }),
    ],
    2,
  ),
  'tied weights and a bias that is read twice': graph(
    tied,
    indices([BATCH, 4], 7),
    indices([BATCH, 4], 7),
  ),
  'tokens that are counted from the start and from the end': layers(
    [5],
    [embedding({ vocabulary: 2, width: 4 }), flatten(), dense({ units: CLASSES })],
    2,
    -2,
  ),
  'tied tokens that are counted from the start and from the end': graph(
    tied,
    indices([BATCH, 4], 7, -7),
    indices([BATCH, 4], 7),
  ),
};

async function sums(backend: Backend, { graded, rows }: Case, norm: number, oneByOne: boolean) {
  const step = clippedStep(graded, { batch: BATCH, oneByOne });
  const session = await openClipped(step, backend);
  const vector = flat({ kept: step.parameters, length: lengthOf(step.parameters) }, step.initial);
  const { sum, norms, loss } = await session.run(new Map(Object.entries(rows)), vector, norm);
  const found = {
    sum: sum.slice(),
    norms: norms.slice(),
    loss,
    mode: step.mode,
    reason: step.reason,
  };
  await session.close();
  return found;
}

describe.each(Object.entries(CASES))('%s', (_, each) => {
  it.each([nativeBackend, wasmBackend])('by book-keeping as one by one: $name', async (backend) => {
    const free = await sums(nativeBackend, each, 1e9, true);
    // About half of the examples are clipped.
    const norm = [...free.norms].toSorted((a, b) => a - b)[2]!;
    const expected = await sums(nativeBackend, each, norm, true);
    const found = await sums(backend, each, norm, false);
    expect(found.reason).toBeUndefined();
    expect(found.mode).toBe('book-keeping');
    found.norms.forEach((value, i) =>
      expect(Math.abs(value - expected.norms[i]!)).toBeLessThan(1e-5 * Math.max(1, norm)),
    );
    const scale = Math.max(...expected.sum.map(Math.abs));
    expect(scale).toBeGreaterThan(0);
    found.sum.forEach((value, i) =>
      expect(Math.abs(value - expected.sum[i]!)).toBeLessThan(1e-5 * Math.max(1, scale)),
    );
    expect(found.loss).toBeCloseTo(expected.loss, 4);
    expect(found.norms[BATCH - 1]).toBe(0);
  });
});

/** Half a layer's rows less the other half: [batch, 2, 3] → [batch, 3]. */
function difference(batch: number) {
  const builder = new GraphBuilder('difference');
  const x = builder.input('x', 'float32', [batch, 2, 3]);
  const draw = seededRandom(5);
  const fill = Float32Array.from({ length: 3 * 64 }, () => draw.next() - 0.5);
  const [made] = builder.node('MatMul', [
    x,
    builder.initializer('w', tensor('float32', [3, 64], fill)),
  ]);
  const row = (at: number) => {
    const place = builder.initializer(
      `row${at}`,
      tensor('int64', [], BigInt64Array.of(BigInt(at))),
    );
    return builder.node('Gather', [made, place], { axis: 1 })[0];
  };
  const [apart] = builder.node('Sub', [row(0), row(1)]);
  const first = builder.initializer(
    'first',
    tensor('int64', [CLASSES], BigInt64Array.of(0n, 1n, 2n)),
  );
  const [y] = builder.node('Gather', [apart, first], { axis: 1 }, { outputs: ['y'] });
  builder.output(y, 'float32', [batch, CLASSES]);
  return builder.model({ opset: 17 });
}

it.each([nativeBackend, wasmBackend])(
  'computes the norm of a gradient whose rows cancel: $name',
  async (backend) => {
    const x = floats(BATCH, 2, 3);
    const numbers = new Float32Array(x.bytes.buffer);
    numbers.forEach((each, i) => (numbers[i] = each + 10_000));
    const each = graph(difference, x, indices([BATCH], CLASSES));
    const expected = await sums(nativeBackend, each, 0.5, true);
    const found = await sums(backend, each, 0.5, false);
    expect(found.mode).toBe('book-keeping');
    found.norms.forEach((norm, i) =>
      expect(Math.abs(norm - expected.norms[i]!)).toBeLessThan(1e-3 * Math.max(1, norm)),
    );
    expect(Math.min(...expected.norms.slice(0, -1))).toBeGreaterThan(0.5);
  },
);

it('bounds what one example changes, however large its gradient is', async () => {
  const { graded, rows } = CASES['a perceptron']!;
  const x = floats(BATCH, 6);
  new Float32Array(x.bytes.buffer).fill(1e6, 0, 6);
  const moved: number[] = [];
  for (let label = 0; label < CLASSES; label++) {
    const labels = tensor('int64', [BATCH], BigInt64Array.of(BigInt(label), 0n, 1n, 2n, 0n));
    const found = [1, 0].map((own) =>
      sums(
        nativeBackend,
        { graded, rows: { ...rows, x, labels, mask: floatsOf(own, 1, 1, 1, 0) } },
        0.5,
        false,
      ),
    );
    const [having, lacking] = await Promise.all(found);
    moved.push(Math.hypot(...having!.sum.map((each, i) => each - lacking!.sum[i]!)));
  }
  expect(Math.max(...moved)).toBeCloseTo(0.5, 3);
});

it('refuses batch normalisation, with advice, unless it is frozen', () => {
  const { graded } = layers([4, 3], [batchNorm(), flatten(), dense({ units: CLASSES })]);
  expect(() => clippedStep(graded, { batch: BATCH })).toThrow('use LayerNormalization');
  const step = clippedStep(graded, { batch: BATCH, frozen: /^0\./ });
  expect(step.parameters.map(({ name }) => name)).not.toContain('0.weight');
});

it('takes examples one by one where a node may mix them, naming it', async () => {
  const mixing = (batch: number) => {
    const builder = new GraphBuilder('mixing');
    const x = builder.input('x', 'float32', [batch, 2]);
    const w = builder.initializer('w', tensor('float32', [2, 3], new Float32Array(6).fill(0.3)));
    const [mean] = builder.node('ReduceMean', [x], { axes: [0], keepdims: 1 });
    const [centred] = builder.node('Sub', [x, mean], {}, { name: 'centring' });
    const [y] = builder.node('MatMul', [centred, w], {}, { outputs: ['y'] });
    builder.output(y, 'float32', [batch, 3]);
    return builder.model({ opset: 17 });
  };
  const each = graph(mixing, floats(BATCH, 2), indices([BATCH], CLASSES));
  const { mode, reason } = await sums(nativeBackend, each, 1, false);
  expect(mode).toBe('one by one');
  expect(reason).toMatch(/ReduceMean.*may mix the examples/);
});

it('takes examples one by one where numbers of a row become indices, which may be out of bounds', async () => {
  const indexing = (batch: number) => {
    const builder = new GraphBuilder('indexing');
    const x = builder.input('x', 'float32', [batch, 2]);
    const fill = (count: number) => new Float32Array(count).fill(0.3);
    const w = builder.initializer('w', tensor('float32', [2, 3], fill(6)));
    const table = builder.initializer('table', tensor('float32', [4, 3], fill(12)));
    const first = builder.initializer('first', tensor('int64', [], BigInt64Array.of(0n)));
    const [made] = builder.node('MatMul', [x, w]);
    const [column] = builder.node('Gather', [made, first], { axis: 1 });
    const [index] = builder.node('Cast', [column], { to: 7 }, { name: 'to index' });
    const [row] = builder.node('Gather', [table, index], { axis: 0 });
    const [y] = builder.node('Add', [row, made], {}, { outputs: ['y'] });
    builder.output(y, 'float32', [batch, 3]);
    return builder.model({ opset: 17 });
  };
  const { graded } = graph(indexing, floats(BATCH, 2), indices([BATCH], CLASSES));
  const { mode, reason } = clippedStep(graded, { batch: BATCH });
  expect(mode).toBe('one by one');
  expect(reason).toMatch(/to index.*may mix the examples/);
});

/** The parameters, scaled until the numbers of some examples leave float32, and of others do not. */
const OVERFLOWING = [1e10, 1e19, 1e25, 1e30, 1e36, 2e38];

describe.each(Object.entries(CASES))('%s', (_, { graded, rows }) => {
  it.each([
    ['native', 'book-keeping', nativeBackend, false],
    ['wasm', 'book-keeping', wasmBackend, false],
    ['native', 'one by one', nativeBackend, true],
  ] as const)(
    'has zeros of an example without a finite gradient: %s, %s',
    async (_name, mode, backend, oneByOne) => {
      const step = clippedStep(graded, { batch: BATCH, oneByOne });
      expect(step.mode).toBe(mode);
      const session = await openClipped(step, backend);
      const { parameters, initial } = step;
      const first = flat({ kept: parameters, length: lengthOf(parameters) }, initial);
      const run = async (vector: Float32Array, mask: readonly number[]) => {
        const given = new Map(Object.entries({ ...rows, mask: floatsOf(...mask) }));
        const { sum, norms } = await session.run(given, vector, 0.5);
        return { sum: sum.slice(), norms: norms.slice() };
      };
      let without = 0;
      for (const scale of OVERFLOWING) {
        const vector = first.map((each) => Math.fround(each * scale));
        if (!vector.every(Number.isFinite)) continue;
        const all = await run(vector, [1, 1, 1, 1, 0]);
        const finite = [...all.norms.subarray(0, 4)].map(Number.isFinite);
        without += finite.filter((each) => !each).length;
        const rest = await run(vector, [...finite.map(Number), 0]);
        expect(all.sum.every(Number.isFinite)).toBe(true);
        expect([...all.sum]).toEqual([...rest.sum]);
        expect(Math.hypot(...all.sum)).toBeLessThan(0.5 * 4 + 1e-3);
      }
      await session.close();
      expect(without).toBeGreaterThan(0);
    },
  );
});
