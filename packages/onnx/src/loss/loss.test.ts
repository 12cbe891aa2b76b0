import fc from 'fast-check';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import { gradient } from '../gradient/gradient.ts';
import { writeModel, type Model } from '../model/model.ts';
import { withLoss, type Loss, type LossOptions } from './loss.ts';

/** y = x, in float64, so that the loss is a function of the input. */
function identity(sizes: readonly (number | string)[], last = 'Identity'): Model {
  const graph = new GraphBuilder('identity');
  graph.input('x', 'float64', sizes);
  graph.node(last, ['x'], {}, { outputs: ['y'] });
  graph.output('y', 'float64', sizes);
  return graph.model();
}

interface Batch {
  readonly shape: readonly number[];
  readonly x: readonly number[];
  /** Class indices, probabilities or numbers. */
  readonly target: readonly number[];
  /** Per sample, or per target. */
  readonly weight?: readonly number[];
}

/** Loss and gradient by ONNX Runtime. */
async function computed(batch: Batch, options: LossOptions, last?: string, open = false) {
  const { shape, x, target, weight } = batch;
  const sizes = open ? ['batch', ...shape.slice(1)] : shape;
  const { model, loss, seeds } = withLoss(identity(sizes, last), options);
  checkModel(model);
  const whole = gradient(model, { loss, seeds, parameters: [], inputs: ['x'] });
  checkModel(whole);
  const session = await InferenceSession.create(writeModel(whole), { logSeverityLevel: 4 });
  const indices = options.loss.kind === 'cross-entropy' && options.loss.targets !== 'probabilities';
  const axis =
    options.loss.kind === 'cross-entropy'
      ? ((options.loss.axis ?? 1) + shape.length) % shape.length
      : -1;
  const elements = shape.filter((_, i) => i !== axis);
  const float = (numbers: readonly number[], dims: readonly number[]) =>
    new OrtTensor('float64', Float64Array.from(numbers), [...dims]);
  const results = await session.run({
    x: float(x, shape),
    target: indices
      ? new OrtTensor('int64', BigInt64Array.from(target, BigInt), elements)
      : float(target, shape),
    ...(weight === undefined
      ? {}
      : { weight: float(weight, options.weights === 'sample' ? [shape[0]!] : elements) }),
  });
  await session.release();
  return {
    loss: (results[loss]!.data as Float64Array)[0]!,
    gradient: Array.from(results['grad:x']!.data as Float64Array),
  };
}

/** The loss as a loop over elements, [elements][classes]; weights per element. */
function naive(
  loss: Loss,
  rows: readonly (readonly number[])[],
  targets: readonly (readonly number[])[],
  weights: readonly number[],
): number {
  let [sum, count] = [0, 0];
  rows.forEach((row, i) => {
    const t = targets[i]!;
    if (loss.kind === 'cross-entropy') {
      const { labelSmoothing = 0, classWeights, ignoreIndex, targets: kind } = loss;
      if (kind !== 'probabilities' && t[0] === ignoreIndex) return;
      const normaliser = Math.log(row.reduce((total, logit) => total + Math.exp(logit), 0));
      let cost = 0;
      row.forEach((logit, c) => {
        const hard = kind === 'probabilities' ? t[c]! : Number(t[0] === c);
        const q = hard * (1 - labelSmoothing) + labelSmoothing / row.length;
        cost -= q * (classWeights?.[c] ?? 1) * (logit - normaliser);
      });
      sum += cost * weights[i]!;
      const counted = kind === 'probabilities' ? 1 : (classWeights?.[t[0]!] ?? 1);
      count += counted * weights[i]!;
      return;
    }
    const [x, z] = [row[0]!, t[0]!];
    const d = Math.abs(x - z);
    if (loss.kind === 'mean-squared') sum += weights[i]! * d * d;
    else if (loss.kind === 'mean-absolute') sum += weights[i]! * d;
    else if (loss.kind === 'huber') {
      const delta = loss.delta ?? 1;
      sum += weights[i]! * (d <= delta ? (d * d) / 2 : delta * (d - delta / 2));
    } else {
      const p = 1 / (1 + Math.exp(-x));
      const positive = loss.positiveWeight ?? 1;
      sum -= weights[i]! * (positive * z * Math.log(p) + (1 - z) * Math.log(1 - p));
    }
    count += weights[i]!;
  });
  return sum / count;
}

/** Compares loss and gradient with the loop and its finite differences. */
async function expectLoss(batch: Batch, options: LossOptions, last?: string): Promise<void> {
  const { shape, x, weight } = batch;
  const { loss } = options;
  const classAxis =
    loss.kind === 'cross-entropy' ? ((loss.axis ?? 1) + shape.length) % shape.length : shape.length;
  const classes = shape[classAxis] ?? 1;
  const inner = shape.slice(classAxis + 1).reduce((a, b) => a * b, 1);
  const outer = x.length / classes / inner;
  const groups = Array.from({ length: outer * inner }, (_, e) =>
    Array.from(
      { length: classes },
      (_, c) => (Math.floor(e / inner) * classes + c) * inner + (e % inner),
    ),
  );
  const single = loss.kind === 'cross-entropy' && loss.targets !== 'probabilities';
  const targets = groups.map((at, e) =>
    single ? [batch.target[e]!] : at.map((i) => batch.target[i]!),
  );
  const perSample = groups.length / shape[0]!;
  const weights = groups.map((_, e) =>
    weight === undefined
      ? 1
      : weight[options.weights === 'sample' ? Math.floor(e / perSample) : e]!,
  );
  const value = (numbers: readonly number[]) =>
    naive(
      loss,
      groups.map((at) => at.map((i) => numbers[i]!)),
      targets,
      weights,
    );
  for (const open of [false, true]) {
    const found = await computed(batch, options, last, open);
    expect(found.loss).toBeCloseTo(value(x), 9);
    // Before a final Sigmoid or Softmax the gradient is with respect to its input.
    x.forEach((number, i) => {
      const h = 1e-5;
      const slope = (value(x.with(i, number + h)) - value(x.with(i, number - h))) / (2 * h);
      expect(found.gradient[i]).toBeCloseTo(slope, 7);
    });
  }
}

const numbers = (count: number, min = -3, max = 3) =>
  fc
    .array(fc.integer({ min: min * 100, max: max * 100 }), { minLength: count, maxLength: count })
    .map((list) => list.map((each) => each / 100 + 0.0037));

const CASES: readonly Loss[] = [
  { kind: 'cross-entropy' },
  { kind: 'cross-entropy', axis: -1 },
  { kind: 'cross-entropy', labelSmoothing: 0.1 },
  { kind: 'cross-entropy', classWeights: [0.5, 2, 1] },
  { kind: 'cross-entropy', ignoreIndex: 1 },
  { kind: 'cross-entropy', ignoreIndex: -100, labelSmoothing: 0.2, classWeights: [0.5, 2, 1] },
  { kind: 'cross-entropy', targets: 'probabilities' },
  {
    kind: 'cross-entropy',
    targets: 'probabilities',
    labelSmoothing: 0.1,
    classWeights: [1, 3, 0.5],
  },
  { kind: 'binary-cross-entropy' },
  { kind: 'binary-cross-entropy', positiveWeight: 3 },
  { kind: 'mean-squared' },
  { kind: 'mean-absolute' },
  { kind: 'huber' },
  { kind: 'huber', delta: 0.503 },
];

const SHAPES: readonly number[][] = [
  [2, 3],
  [1, 3],
  [2, 3, 2],
  [2, 3, 3],
];

describe('withLoss', () => {
  it.each(CASES.map((loss) => [JSON.stringify(loss), loss] as const))('%s', async (_, loss) => {
    const kinds = fc.constantFrom(undefined, 'sample' as const, 'element' as const);
    const property = fc.tuple(fc.constantFrom(...SHAPES), kinds).chain(([shape, weights]) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const entropy = loss.kind === 'cross-entropy';
      const indices = entropy && loss.targets !== 'probabilities';
      const dims =
        entropy && loss.axis === -1 && shape.length === 3 ? [shape[0]!, shape[2]!, 3] : shape;
      const count = dims.reduce((a, b) => a * b, 1);
      const elements = entropy ? count / 3 : size;
      const target: fc.Arbitrary<number[]> = indices
        ? fc.array(fc.constantFrom(0, 2), { minLength: elements, maxLength: elements })
        : numbers(count, 0.1, 0.9);
      const weightCount = weights === 'sample' ? dims[0]! : elements;
      return fc.record({
        weights: fc.constant(weights),
        shape: fc.constant(dims),
        x: numbers(count),
        target:
          indices && loss.ignoreIndex !== undefined
            ? target.map((list) => list.map((each, i) => (i % 2 === 1 ? loss.ignoreIndex! : each)))
            : target,
        weight: numbers(weightCount, 0.1, 2),
      });
    });
    await fc.assert(
      fc.asyncProperty(property, async ({ weights, weight, ...batch }) => {
        await expectLoss(
          weights === undefined ? batch : { ...batch, weight },
          weights === undefined ? { loss } : { loss, weights },
        );
      }),
      { numRuns: 8, seed: 5 },
    );
  });

  it('ignores elements with the weight 0, whatever their values', async () => {
    const loss = { kind: 'cross-entropy' } as const;
    const full = { shape: [2, 3], x: [1, 2, 3, 0, -1, 1], target: [2, 0] };
    const padded = {
      shape: [3, 3],
      x: [...full.x, 9, -9, 40],
      target: [2, 0, 1],
      weight: [1, 1, 0],
    };
    const expected = await computed(full, { loss });
    const found = await computed(padded, { loss, weights: 'sample' });
    expect(found.loss).toBeCloseTo(expected.loss, 12);
    found.gradient.forEach((each, i) => expect(each).toBeCloseTo(expected.gradient[i] ?? 0, 12));
    const nothing = await computed({ ...padded, weight: [0, 0, 0] }, { loss, weights: 'sample' });
    expect(nothing.loss).toBe(0);
    expect(Math.max(...nothing.gradient.map(Math.abs))).toBe(0);
  });

  it('takes the logits before a final Softmax or Sigmoid', async () => {
    const batch = { shape: [2, 3], x: [1, 2, 3, 0, -1, 1], target: [2, 0] };
    await expectLoss(batch, { loss: { kind: 'cross-entropy' } }, 'Softmax');
    const binary = { shape: [2, 1], x: [1, -2], target: [1, 0] };
    await expectLoss(binary, { loss: { kind: 'binary-cross-entropy' } }, 'Sigmoid');
  });

  it('stays finite for large logits', async () => {
    const binary = { shape: [2, 1], x: [800, -800], target: [0, 1] };
    const found = await computed(binary, { loss: { kind: 'binary-cross-entropy' } });
    expect(found.loss).toBe(800);
    expect(found.gradient).toEqual([0.5, -0.5]);
  });

  it('names the option that does not fit', () => {
    const model = identity(['batch', 3]);
    const attempt = (options: LossOptions) => () => withLoss(model, options);
    expect(attempt({ loss: { kind: 'mean-squared' }, target: 'x' })).toThrow(
      "value named 'x' already",
    );
    expect(attempt({ loss: { kind: 'mean-squared' }, prediction: 'z' })).toThrow(
      "no value named 'z'",
    );
    expect(attempt({ loss: { kind: 'cross-entropy', classWeights: [1] } })).toThrow(
      '1 class weights',
    );
    expect(attempt({ loss: { kind: 'cross-entropy', axis: 2 } })).toThrow('no axis 2');
    expect(attempt({ loss: { kind: 'cross-entropi' as 'huber' } })).toThrow(
      "no loss 'cross-entropi'; there are cross-entropy,",
    );
    expect(() => withLoss(identity([2, 'c']), { loss: { kind: 'cross-entropy' } })).toThrow(
      'not fixed',
    );
  });
});
