/** Passes that are not bit-exact, compared with ONNX Runtime's result for the model before them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float, type Attribute } from '../model/attribute.ts';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import type { Model } from '../model/model.ts';
import { seededRandom } from '../tensor/random.ts';
import { elementCount, tensor } from '../tensor/tensor.ts';
import { ortRun, OrtTensor } from '../testing/ort.ts';
import { specialise } from './specialise.ts';

const operatorsOf = (model: Model) => model.graph!.node.map(({ opType }) => opType);

const random = seededRandom(5);
const numbers = (count: number, least = -1) =>
  Float32Array.from({ length: count }, () => least + (1 - least) * random.next());

/** A graph on x, and constants of random numbers. */
function graphOf(shape: readonly (number | null)[]) {
  const graph = new GraphBuilder('fused');
  graph.input('x', 'float32', shape);
  let count = 0;
  const constant = (dims: readonly number[], data = numbers(elementCount(dims))) =>
    graph.initializer(`c${count++}`, tensor('float32', dims, data));
  const done = (y: string, rank: number) => {
    graph.node('Identity', [y], {}, { outputs: ['y'] });
    graph.output(
      'y',
      'float32',
      Array.from({ length: rank }, () => null),
    );
    return graph.model({ opset: 17 });
  };
  return { graph, constant, done };
}

async function expectNear(model: Model, shape: readonly number[], operators: readonly string[]) {
  const small = specialise(model);
  checkModel(small);
  expect(operatorsOf(small)).toEqual(operators);
  const feeds = { x: new OrtTensor('float32', numbers(elementCount(shape)), [...shape]) };
  const [before, after] = [await ortRun(model, feeds), await ortRun(small, feeds)];
  expect(after['y']!.length).toBe(before['y']!.length);
  for (const [i, value] of before['y']!.entries()) {
    expect(Math.abs(after['y']![i]! - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
  }
}

describe('scaling after', () => {
  type Layer = {
    readonly operator: string;
    readonly x: readonly number[];
    readonly w: readonly number[];
    readonly attributes?: Readonly<Record<string, Attribute>>;
    readonly bias?: readonly number[];
  };
  const LAYERS: readonly Layer[] = [
    { operator: 'Conv', x: [2, 4, 5, 5], w: [6, 4, 3, 3] },
    { operator: 'Conv', x: [1, 4, 7], w: [6, 2, 3], attributes: { group: 2 }, bias: [6] },
    {
      operator: 'ConvTranspose',
      x: [1, 4, 3, 3],
      w: [4, 6, 2, 2],
      attributes: { strides: [2, 2] },
      bias: [6],
    },
    {
      operator: 'Gemm',
      x: [3, 4],
      w: [4, 6],
      attributes: { alpha: float(0.5), beta: float(2) },
      bias: [6],
    },
    { operator: 'Gemm', x: [3, 4], w: [6, 4], attributes: { transB: 1 }, bias: [1] },
    { operator: 'Gemm', x: [3, 4], w: [4, 6] },
    { operator: 'MatMul', x: [3, 4], w: [4, 6] },
  ];
  const BETWEEN = [
    'BatchNormalization',
    'Mul of a number',
    'Mul by channel',
    'Add of a number',
    'Add by channel',
  ] as const;

  it.each(LAYERS)('$operator, weight $w', async ({ operator, x, w, attributes = {}, bias }) => {
    const steps = fc.array(fc.constantFrom(...BETWEEN), { minLength: 1, maxLength: 4 });
    const check = async (list: readonly (typeof BETWEEN)[number][]) => {
      const { graph, constant, done } = graphOf(x.with(0, null as never));
      const inputs = ['x', constant(w), ...(bias === undefined ? [] : [constant(bias)])];
      let [y] = graph.node(operator, inputs, attributes);
      for (const step of list) {
        const each = [6, ...x.slice(2).map(() => 1)];
        if (step === 'BatchNormalization') {
          const parameters = [
            constant([6]),
            constant([6]),
            constant([6]),
            constant([6], numbers(6, 0.2)),
          ];
          [y] = graph.node(step, [y, ...parameters], { epsilon: float(1e-3) });
        } else {
          const by = constant(step.includes('number') ? [1] : each);
          [y] = graph.node(step.slice(0, 3), random.next() < 0.5 ? [y, by] : [by, y]);
        }
      }
      const isAdded = (step: string) => step.startsWith('Add');
      // A product has no bias: what is added to it stays, and what follows that.
      if (operator !== 'MatMul') await expectNear(done(y, x.length), x, [operator]);
      else if (!list.some(isAdded)) {
        const shifts = list.includes('BatchNormalization');
        if (list.lastIndexOf('BatchNormalization') <= 0 && !(shifts && list.length > 1)) {
          await expectNear(done(y, 2), x, shifts ? ['MatMul', 'Add'] : ['MatMul']);
        }
      }
    };
    await fc.assert(fc.asyncProperty(steps, check), { numRuns: 15, seed: 39 });
  });

  it.each<
    readonly [string, (at: ReturnType<typeof graphOf>, y: string) => string, readonly string[]]
  >([
    [
      'a result that is read twice',
      ({ graph, constant }, y) => {
        const [scaled] = graph.node('Mul', [y, constant([1])]);
        return graph.node('Add', [scaled, y])[0];
      },
      ['Conv', 'Mul', 'Add'],
    ],
    [
      'a constant for each position',
      ({ graph, constant }, y) => graph.node('Mul', [y, constant([1, 1, 3, 3])])[0],
      ['Conv', 'Mul'],
    ],
    [
      'a constant that widens the result',
      ({ graph, constant }, y) => graph.node('Mul', [y, constant([1, 1, 1, 1, 1])])[0],
      ['Conv', 'Mul'],
    ],
    [
      'a constant on another axis',
      ({ graph, constant }, y) => graph.node('Mul', [y, constant([1, 6, 1])])[0],
      ['Conv', 'Mul'],
    ],
    [
      'a variance that is not positive',
      ({ graph, constant }, y) =>
        graph.node('BatchNormalization', [
          y,
          constant([6]),
          constant([6]),
          constant([6]),
          constant([6], Float32Array.of(-1, 1, 1, 1, 1, 1)),
        ])[0],
      ['Conv', 'BatchNormalization'],
    ],
    [
      'another product of two values',
      ({ graph }, y) => graph.node('Mul', [y, graph.node('Sigmoid', [y])[0]])[0],
      ['Conv', 'Sigmoid', 'Mul'],
    ],
  ])('is not folded: %s', (_, build, operators) => {
    const at = graphOf([1, 4, 5, 5]);
    // Six channels of 3 × 3, or of 6 × 3 for an axis that has their number.
    const [y] = at.graph.node('Conv', ['x', at.constant([6, 4, 3, 3])]);
    expect(operatorsOf(specialise(at.done(build(at, y), 4)))).toEqual([...operators]);
  });

  it('keeps weights that another node reads', async () => {
    const { graph, constant, done } = graphOf([1, 4, 5, 5]);
    const w = constant([4, 4, 1, 1]);
    const [a] = graph.node('Conv', ['x', w]);
    const [scaled] = graph.node('Mul', [a, constant([1])]);
    const [b] = graph.node('Conv', [scaled, w]);
    await expectNear(done(b, 4), [1, 4, 5, 5], ['Conv', 'Conv']);
  });
});

describe('HardSwish', () => {
  const clipped = ({ graph, constant }: ReturnType<typeof graphOf>, swapped = false) => {
    const three = constant([1], Float32Array.of(3));
    const [sum] = graph.node('Add', swapped ? [three, 'x'] : ['x', three]);
    const [zero, six] = [constant([], Float32Array.of(0)), constant([], Float32Array.of(6))];
    return { clip: graph.node('Clip', [sum, zero, six])[0], six };
  };
  type At = ReturnType<typeof graphOf>;
  it.each<readonly [string, (at: At) => string]>([
    [
      '(x·clip)/6',
      (at) => {
        const { clip, six } = clipped(at);
        return at.graph.node('Div', [at.graph.node('Mul', ['x', clip])[0], six])[0];
      },
    ],
    [
      'x·(clip/6)',
      (at) => {
        const { clip, six } = clipped(at, true);
        return at.graph.node('Mul', ['x', at.graph.node('Div', [clip, six])[0]])[0];
      },
    ],
    [
      '(clip·⅙)·x',
      (at) => {
        const { clip } = clipped(at);
        const sixth = at.constant([], Float32Array.of(1 / 6));
        return at.graph.node('Mul', [at.graph.node('Mul', [sixth, clip])[0], 'x'])[0];
      },
    ],
    [
      'x·HardSigmoid(x)',
      (at) => {
        const [gate] = at.graph.node('HardSigmoid', ['x'], {
          alpha: float(1 / 6),
          beta: float(0.5),
        });
        return at.graph.node('Mul', [gate, 'x'])[0];
      },
    ],
  ])('replaces %s', async (_, build) => {
    const at = graphOf([null, 8]);
    await expectNear(at.done(build(at), 2), [3, 8], ['HardSwish']);
  });

  it.each<readonly [string, (at: At) => string]>([
    [
      'another slope',
      (at) => at.graph.node('Mul', ['x', at.graph.node('HardSigmoid', ['x'])[0]])[0],
    ],
    [
      'another value',
      (at) => {
        const { clip, six } = clipped(at);
        const [other] = at.graph.node('Neg', ['x']);
        return at.graph.node('Div', [at.graph.node('Mul', [other, clip])[0], six])[0];
      },
    ],
    [
      'another divisor',
      (at) => {
        const { clip } = clipped(at);
        const five = at.constant([], Float32Array.of(5));
        return at.graph.node('Div', [at.graph.node('Mul', ['x', clip])[0], five])[0];
      },
    ],
    [
      'a quotient the other way',
      (at) => {
        const { clip, six } = clipped(at);
        return at.graph.node('Div', [six, at.graph.node('Mul', ['x', clip])[0]])[0];
      },
    ],
  ])('is not found in %s', (_, build) => {
    const at = graphOf([null, 8]);
    expect(operatorsOf(specialise(at.done(build(at), 2)))).not.toContain('HardSwish');
  });
});

describe('LayerNormalization', () => {
  interface Form {
    readonly axis?: number;
    readonly squaredByMul?: boolean;
    readonly centredTwice?: boolean;
    readonly size?: number;
    readonly keepdims?: number;
  }
  function normalised({
    axis = -1,
    squaredByMul,
    centredTwice,
    size = 8,
    keepdims = 1,
  }: Form): Model {
    const { graph, constant, done } = graphOf([null, 3, 8]);
    const mean = (of: string) => graph.node('ReduceMean', [of], { axes: [axis], keepdims })[0];
    const centred = () => graph.node('Sub', ['x', mean('x')])[0];
    const d = centred();
    const base = centredTwice === true ? centred() : d;
    const two = constant([], Float32Array.of(2));
    const [square] =
      squaredByMul === true ? graph.node('Mul', [base, base]) : graph.node('Pow', [base, two]);
    const [sum] = graph.node('Add', [mean(square), constant([], Float32Array.of(1e-4))]);
    const [quotient] = graph.node('Div', [d, graph.node('Sqrt', [sum])[0]]);
    const [stretched] = graph.node('Mul', [quotient, constant([size])]);
    return done(graph.node('Add', [stretched, constant([size])])[0], 3);
  }

  it.each<Form>([{}, { axis: 2 }, { squaredByMul: true }, { centredTwice: true }])(
    'replaces %o',
    (form) => expectNear(normalised(form), [2, 3, 8], ['LayerNormalization']),
  );

  it.each<Form>([{ axis: 1 }, { size: 1 }])('is not found in %o', (form) => {
    expect(operatorsOf(specialise(normalised(form)))).not.toContain('LayerNormalization');
  });
});
