import { GraphBuilder, seededRandom, tensor, values, type NumericTensor } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { sgd } from '../optimisers/sgd.ts';
import { nativeBackend } from '../run/native-backend.ts';
import { floats } from '../testing/models.ts';
import { openEvaluator } from '../trainer/evaluate.ts';
import { openStep } from './step-session.ts';
import { trainingStep } from './training-step.ts';

const numbers = (tensor: NumericTensor | undefined) => Array.from(values(tensor!) as Float32Array);
const ROWS = 6;

/** Mean square of a normalised, then dropped `x` [6, 2]; outputs `y` and `loss`. */
function normalising(options: { readonly dropout?: number; readonly opset?: number } = {}) {
  const graph = new GraphBuilder('normalising');
  const weights = { scale: [2, 0.5], bias: [0.1, -0.1], mean: [0.5, 0], variance: [1, 4] };
  const names = Object.entries(weights).map(([name, each]) =>
    graph.initializer(name, floats([2], each)),
  );
  const x = graph.input('x', 'float32', [ROWS, 2]);
  let [y] = graph.node(
    'BatchNormalization',
    [x, ...names],
    { momentum: { float: 0.75 } },
    { outputs: ['y'], name: 'norm' },
  );
  graph.output(y, 'float32', [ROWS, 2]);
  const { dropout, opset = 17 } = options;
  if (dropout !== undefined && opset < 12) {
    [y] = graph.node('Dropout', [y], { ratio: { float: dropout } }, { name: 'drop' });
  } else if (dropout !== undefined) {
    const ratio = graph.initializer('ratio', tensor('float32', [], new Float32Array([dropout])));
    [y] = graph.node('Dropout', [y, ratio], {}, { name: 'drop' });
  }
  const [square] = graph.node('Mul', [y, y]);
  graph.output(
    graph.node('ReduceMean', [square], { keepdims: 0 }, { outputs: ['loss'] })[0],
    'float32',
    [],
  );
  return graph.model({ opset });
}

const random = seededRandom(8);
const x = floats(
  [ROWS, 2],
  Array.from({ length: 2 * ROWS }, () => 4 * random.next() - 1),
);
const batch = new Map([['x', x]]);

/** Mean and population variance of a column. */
function moments(column: number): [mean: number, variance: number] {
  const cells = numbers(x).filter((_, i) => i % 2 === column);
  const mean = cells.reduce((a, b) => a + b, 0) / ROWS;
  return [mean, cells.reduce((sum, each) => sum + (each - mean) ** 2, 0) / ROWS];
}

describe('BatchNormalization', () => {
  it('normalises by the batch, and keeps running statistics', async () => {
    const step = trainingStep(normalising(), { loss: 'loss', optimiser: sgd() });
    expect(step.parameters.map(({ name }) => name)).toEqual(['scale', 'bias']);
    expect(step.statistics.map(({ name }) => name)).toEqual(['mean', 'variance']);
    const session = await openStep(step, nativeBackend);
    const loss = await session.step(batch, 0);
    // The mean square of s·x̂ + b is s² v/(v + ε) + b².
    const wanted = [0, 1].map((column) => {
      const [, variance] = moments(column);
      return ([2, 0.5][column]! ** 2 * variance) / (variance + 1e-5) + 0.01;
    });
    expect(loss).toBeCloseTo((wanted[0]! + wanted[1]!) / 2, 5);
    const tensors = session.tensors();
    const running = [0, 1].map((column) => moments(column));
    expect(numbers(tensors.get('mean'))).toEqual(
      running.map(([mean], i) => expect.closeTo(0.75 * [0.5, 0][i]! + 0.25 * mean, 5)),
    );
    expect(numbers(tensors.get('variance'))).toEqual(
      running.map(([, variance], i) => expect.closeTo(0.75 * [1, 4][i]! + 0.25 * variance, 5)),
    );

    const options = {
      backend: nativeBackend,
      data: { count: ROWS, tensors: batch },
      batch: ROWS,
      inputs: ['x'],
      output: 'y',
    };
    const evaluator = await openEvaluator(normalising(), step, options);
    const [first] = await evaluator.predict(tensors);
    const [mean, variance] = [
      numbers(tensors.get('mean'))[0]!,
      numbers(tensors.get('variance'))[0]!,
    ];
    expect(first).toBeCloseTo((2 * (numbers(x)[0]! - mean)) / Math.sqrt(variance + 1e-5) + 0.1, 4);
    await evaluator.close();
    await session.close();
  });

  it('stays in its inference form where its scale is frozen', () => {
    const step = trainingStep(normalising(), { loss: 'loss', optimiser: sgd(), frozen: /^scale$/ });
    expect(step.statistics).toEqual([]);
    expect(step.parameters.map(({ name }) => name)).toEqual(['bias']);
  });

  it.each([9, 13])(
    'is written out in opset %i, where it has no training form, before a Dropout',
    async (opset) => {
      const found = await Promise.all(
        [17, opset].map(async (each) => {
          const step = trainingStep(normalising({ opset: each, dropout: 0.25 }), {
            loss: 'loss',
            optimiser: sgd(),
          });
          const session = await openStep(step, nativeBackend);
          const losses: number[] = [];
          for (let i = 0; i < 3; i++) losses.push(await session.step(batch, 0.1));
          const tensors = [...session.tensors()].map(
            ([name, each]) => [name, numbers(each)] as const,
          );
          await session.close();
          return { losses, tensors: new Map(tensors) };
        }),
      );
      const [wanted, old] = [found[0]!, found[1]!];
      expect(old.losses).toEqual(wanted.losses.map((each) => expect.closeTo(each, 5)));
      expect([...old.tensors.keys()]).toEqual(['scale', 'bias', 'mean', 'variance']);
      for (const [name, each] of wanted.tensors) {
        expect(old.tensors.get(name)).toEqual(each.map((number) => expect.closeTo(number, 5)));
      }
    },
  );

  it('is refused where an exporter has merged a statistic with a parameter of the same values', () => {
    const graph = new GraphBuilder('merged');
    graph.input('x', 'float32', [4, 2]);
    const [scale, bias] = ['scale', 'bias'].map((name, value) =>
      graph.initializer(name, floats([2], [1 - value, 1 - value])),
    );
    graph.node('Identity', [bias!], {}, { outputs: ['mean'] });
    graph.node('Identity', [scale!], {}, { outputs: ['variance'] });
    const inputs = ['x', scale!, bias!, 'mean', 'variance'];
    const [y] = graph.node('BatchNormalization', inputs, {}, { name: 'norm' });
    graph.node('ReduceMean', [y], { keepdims: 0 }, { outputs: ['loss'] });
    graph.output('loss', 'float32', []);
    expect(() => trainingStep(graph.model(), { loss: 'loss', optimiser: sgd() })).toThrow(
      "Node 'norm' (BatchNormalization) cannot be trained: the exporter has merged 'mean' with 'bias', which had the same values",
    );
  });

  it('is refused where it must be written out and its rank is not known', () => {
    const graph = new GraphBuilder('unknown');
    graph.input('x', 'float32', [4, 2]);
    graph.input('shape', 'int64', [null]);
    const names = ['scale', 'bias', 'mean', 'variance'].map((name) =>
      graph.initializer(name, floats([2], [1, 1])),
    );
    const [shaped] = graph.node('Reshape', ['x', 'shape'], {}, { outputs: ['shaped'] });
    const [y] = graph.node('BatchNormalization', [shaped, ...names], {}, { name: 'norm' });
    graph.node('ReduceMean', [y], { keepdims: 0 }, { outputs: ['loss'] });
    graph.output('loss', 'float32', []);
    const old = graph.model({ opset: 13 });
    expect(() => trainingStep(old, { loss: 'loss', optimiser: sgd() })).toThrow(
      "Node 'norm' (BatchNormalization) cannot be trained: the shape of 'shaped' cannot be inferred; export the model with opset 14 or newer.",
    );
  });
});

it('Dropout drops while training, with other cells each time', async () => {
  const step = trainingStep(normalising({ dropout: 0.5 }), { loss: 'loss', optimiser: sgd() });
  const session = await openStep(step, nativeBackend);
  const losses = new Set<number>();
  for (let i = 0; i < 8; i++) losses.add(await session.step(batch, 0));
  expect(losses.size).toBeGreaterThan(4);
  await session.close();
});
