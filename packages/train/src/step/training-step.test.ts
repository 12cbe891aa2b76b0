import { GraphBuilder, tensor, values, withLoss, type NumericTensor } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { adam } from '../optimisers/adam.ts';
import type { Clipping } from '../optimisers/clip.ts';
import type { Optimiser } from '../optimisers/optimiser.ts';
import { sgd } from '../optimisers/sgd.ts';
import { nativeBackend } from '../run/native-backend.ts';
import { wasmBackend } from '../run/wasm-backend.ts';
import { floats, linearRegression, regressionBatches } from '../testing/models.ts';
import { openStep } from './step-session.ts';
import { trainingStep } from './training-step.ts';

const numbers = (tensor: NumericTensor | undefined) => Array.from(values(tensor!) as Float32Array);

/** Linear regression by hand, in float64: losses before each update, and parameters after all. */
function byHand(
  batches: typeof regressionBatches,
  update: (parameters: number[], gradient: number[]) => void,
) {
  const parameters = [0.5, -1, Math.fround(0.1)];
  const losses: number[] = [];
  for (const batch of batches) {
    const x = numbers(batch.get('x'));
    const y = numbers(batch.get('y'));
    const gradient = [0, 0, 0];
    let loss = 0;
    for (let row = 0; row < 4; row++) {
      const input = [x[2 * row]!, x[2 * row + 1]!, 1];
      const out = input.reduce((sum, each, i) => sum + each * parameters[i]!, 0);
      const error = out - y[row]!;
      loss += error ** 2 / 4;
      input.forEach((each, i) => (gradient[i]! += (2 * error * each) / 4));
    }
    losses.push(loss);
    update(parameters, gradient);
  }
  return { losses, parameters };
}

interface Case {
  readonly optimiser: Optimiser;
  readonly clip?: Clipping;
  readonly update: (parameters: number[], gradient: number[]) => void;
}

const descend = (parameters: number[], gradient: number[]) =>
  gradient.forEach((each, i) => (parameters[i]! -= 0.05 * each));

const cases: Record<string, Case> = {
  'plain SGD, with the rate in the gradient': { optimiser: sgd(), update: descend },
  'clipped SGD': {
    optimiser: sgd(),
    clip: { norm: 1 },
    update: (parameters, gradient) => {
      const norm = Math.hypot(...gradient);
      descend(
        parameters,
        gradient.map((each) => each * Math.min(1, 1 / (norm + 1e-6))),
      );
    },
  },
};

describe.each([nativeBackend, wasmBackend])('on the $name backend', (backend) => {
  it.each(Object.entries(cases))('%s takes the steps computed by hand', async (_, each) => {
    const { optimiser, clip, update } = each;
    const step = trainingStep(linearRegression(), {
      loss: 'loss',
      optimiser,
      ...(clip === undefined ? {} : { clip }),
    });
    const session = await openStep(step, backend);
    const losses: number[] = [];
    for (const batch of regressionBatches) losses.push(await session.step(batch, 0.05));
    const wanted = byHand(regressionBatches, update);
    wanted.losses.forEach((loss, i) => expect(losses[i]).toBeCloseTo(loss, 5));
    const tensors = session.tensors();
    const [w0, w1, b] = wanted.parameters;
    expect(numbers(tensors.get('w'))).toEqual([expect.closeTo(w0!, 6), expect.closeTo(w1!, 6)]);
    expect(numbers(tensors.get('b'))).toEqual([expect.closeTo(b!, 6)]);
    await session.close();
  });

  it('undoes a step whose loss is not a number', async () => {
    const step = trainingStep(linearRegression(), { loss: 'loss', optimiser: adam() });
    const session = await openStep(step, backend);
    await session.step(regressionBatches[0]!, 0.1);
    const before = new Map(
      [...session.tensors()].map(([name, each]) => [name, each.bytes.slice()]),
    );
    const bad = new Map(regressionBatches[1]);
    bad.set('x', { ...bad.get('x')!, bytes: new Uint8Array(new Float32Array(8).fill(NaN).buffer) });
    expect(await session.step(bad, 0.1)).toBeNaN();
    for (const [name, each] of session.tensors()) expect(each.bytes).toEqual(before.get(name));
    await session.close();
  });
});

it('averages the gradients of accumulated batches, and starts again after each step', async () => {
  const step = trainingStep(linearRegression(), {
    loss: 'loss',
    optimiser: sgd(),
    accumulate: 3,
  });
  const session = await openStep(step, nativeBackend);
  for (let round = 0; round < 2; round++) {
    await session.accumulate(regressionBatches[0]!);
    await session.accumulate(regressionBatches[1]!);
    await session.step(regressionBatches[2]!, 0.05);
  }
  const mean = [0, 0, 0];
  let seen = 0;
  const rounds = [...regressionBatches, ...regressionBatches];
  const { parameters } = byHand(rounds, (parameters, gradient) => {
    gradient.forEach((each, i) => (mean[i]! += each / 3));
    if (++seen % 3 !== 0) return;
    descend(parameters, mean);
    mean.fill(0);
  });
  expect(numbers(session.tensors().get('w'))[1]).toBeCloseTo(parameters[1]!, 6);
  expect(numbers(session.tensors().get('b'))[0]).toBeCloseTo(parameters[2]!, 6);
  await session.close();
});

it('does not change frozen parameters, and trains the named ones', async () => {
  const frozen = trainingStep(linearRegression(), {
    loss: 'loss',
    optimiser: adam(),
    frozen: /w/g,
  });
  expect(frozen.parameters.map(({ name }) => name)).toEqual(['b']);
  const named = trainingStep(linearRegression(), {
    loss: 'loss',
    optimiser: adam(),
    parameters: ['w'],
  });
  expect(named.parameters.map(({ name }) => name)).toEqual(['w']);
  expect(named.state.map(({ name }) => name)).toEqual(['step', 'adam.mean/w', 'adam.variance/w']);
  const session = await openStep(frozen, nativeBackend);
  const first = await session.step(regressionBatches[0]!, 0.1);
  expect(await session.step(regressionBatches[0]!, 0.1)).toBeLessThan(first);
  await session.close();
});

it('continues with tensors that fit, and refuses others by name', async () => {
  const step = trainingStep(linearRegression(), {
    loss: 'loss',
    optimiser: sgd({ momentum: 0.5 }),
  });
  const session = await openStep(step, nativeBackend);
  const start = new Map<string, NumericTensor>(
    [...session.tensors()].map(([name, each]) => [name, { ...each, bytes: each.bytes.slice() }]),
  );
  const first = await session.step(regressionBatches[0]!, 0.1);
  const after = numbers(session.tensors().get('w'));
  await session.step(regressionBatches[1]!, 0.1);
  session.load(start);
  expect(await session.step(regressionBatches[0]!, 0.1)).toBe(first);
  expect(numbers(session.tensors().get('w'))).toEqual(after);
  const wrong = new Map(start).set('w', floats([2, 1], [1, 2]));
  expect(() => session.load(wrong)).toThrow(
    "'w' is float32 [2, 1], but the step has float32 [1, 2].",
  );
  start.delete('sgd.velocity/b');
  expect(() => session.load(start)).toThrow("'sgd.velocity/b', float32 [1], is missing.");
  await session.close();
});

it('names the node that makes a model one of integers', () => {
  const graph = new GraphBuilder('integers');
  graph.input('x', 'int8', [1, 2]);
  const q = graph.initializer('q', tensor('int8', [2, 2], Int8Array.of(1, 2, 3, 4)));
  const [product] = graph.node('MatMulInteger', ['x', q], {}, { name: 'product' });
  const [y] = graph.node('Cast', [product], { to: 1 }, { outputs: ['y'] });
  graph.output(y, 'float32', [1, 2]);
  const { model, ...loss } = withLoss(graph.model(), { loss: { kind: 'cross-entropy' } });
  expect(() => trainingStep(model, { ...loss, optimiser: sgd() })).toThrow(
    /does not depend on any parameter\. Node 'product' \(MatMulInteger\) makes something other/,
  );
});

it('explains why a model cannot be trained', () => {
  const options = { loss: 'loss', optimiser: sgd() };
  expect(() => trainingStep(linearRegression(), { ...options, frozen: /./g })).toThrow(
    'no weights of float32',
  );
  expect(() => trainingStep(linearRegression(), { ...options, loss: 'out' })).toThrow(
    'must be one number',
  );
  expect(() => trainingStep(linearRegression(), { ...options, loss: 'gone' })).toThrow(
    "no value named 'gone'",
  );
});
