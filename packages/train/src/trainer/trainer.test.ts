import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mlp, tensor } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { fileStore } from '../checkpoint/file-store.ts';
import type { CheckpointStore } from '../checkpoint/checkpoint.ts';
import { dataset } from '../data/dataset.ts';
import { adam } from '../optimisers/adam.ts';
import { sgd } from '../optimisers/sgd.ts';
import { nativeBackend } from '../run/native-backend.ts';
import type { Tensors } from '../run/backend.ts';
import { constant, cosine } from '../schedules/schedule.ts';
import { withTrained } from '../step/trained-model.ts';
import { trainingStep } from '../step/training-step.ts';
import { classifier, floats, moons } from '../testing/models.ts';
import { Diverged } from '../train-error.ts';
import { classificationReport, openEvaluator } from './evaluate.ts';
import { train, type Progress, type TrainOptions } from './trainer.ts';

const SIZES = [2, 16, 16, 2] as const;
const BATCH = 16;
// 250 rows do not come out even: the last batch of an epoch has 10.
const data = dataset(moons(250, 1));
const held = dataset(moons(150, 2));
const { model, ...graded } = classifier([...SIZES], BATCH);
const step = trainingStep(model, { ...graded, optimiser: adam() });
const plan: TrainOptions = {
  backend: nativeBackend,
  data,
  batch: BATCH,
  mask: 'mask',
  epochs: 30,
  seed: 9,
  schedule: cosine({ rate: 0.02, steps: 30 * 16 }),
};
const bytesOf = (tensors: Tensors) =>
  [...tensors].map(([name, { bytes }]) => [name, Buffer.from(bytes).toString('hex')]);

it('trains a perceptron to separate the moons, and returns a model to serve', async () => {
  const { tensors, epochs, stopped } = await train(step, plan);
  expect(stopped).toBe('done');
  expect(epochs).toHaveLength(30);
  expect(epochs.at(-1)!.loss).toBeLessThan(epochs[0]!.loss / 5);
  const served = withTrained(mlp({ sizes: [...SIZES], seed: 5, batch: BATCH }), tensors);
  const evaluator = await openEvaluator(
    served,
    { parameters: [], statistics: [] },
    { ...plan, data: held, inputs: ['x'], output: 'y' },
  );
  const report = classificationReport(
    held.tensors.get('labels')!,
    await evaluator.predict(new Map()),
  );
  expect(report.accuracy).toBeGreaterThan(0.97);
  expect(report.auc).toBeGreaterThan(0.99);
  await evaluator.close();
});

it.each([Number.NaN, 1.5, -1, Infinity])('refuses %d epochs', async (epochs) => {
  await expect(train(step, { ...plan, epochs })).rejects.toThrow(
    new RangeError(`epochs must be a whole number from 0 on, not ${epochs}.`),
  );
});

it.each([2n, -1n, 2n ** 40n])(
  'refuses the label %d of two classes, naming its row',
  async (wrong) => {
    const rows = moons(250, 1);
    const labels = new BigInt64Array(rows.labels.bytes.slice().buffer);
    labels[201] = wrong;
    const flawed = dataset({ ...rows, labels: tensor('int64', [250], labels) });
    await expect(train(step, { ...plan, data: flawed })).rejects.toThrow(
      `Row 201 has the label ${wrong}, which is out of range: there are 2 classes, 0 to 1.`,
    );
  },
);

it('counts every row the same, padded or not', async () => {
  const first = { ...plan, epochs: 1, schedule: constant(0), now: () => 0 };
  const padded = await train(step, first);
  const { model: wide, ...wideLoss } = classifier([...SIZES], 250);
  const whole = trainingStep(wide, { ...wideLoss, optimiser: adam() });
  const together = await train(whole, { ...first, batch: 250 });
  expect(padded.epochs[0]!.loss).toBeCloseTo(together.epochs[0]!.loss, 6);
});

it('takes a step of several batches as one of all of their rows, also after a kill', async () => {
  const even = dataset(moons(256, 1));
  const short = { ...plan, data: even, epochs: 3, schedule: constant(0.02), checkpointEvery: 5 };
  const { model: wide, ...wideLoss } = classifier([...SIZES], 4 * BATCH);
  const wanted = await train(trainingStep(wide, { ...wideLoss, optimiser: adam() }), {
    ...short,
    batch: 4 * BATCH,
  });
  const four = trainingStep(model, { ...graded, optimiser: adam(), accumulate: 4 });
  const found = await train(four, { ...short, accumulate: 4 });
  expect(found.steps).toBe(3 * 4);
  found.epochs.forEach(({ loss }, i) => expect(loss).toBeCloseTo(wanted.epochs[i]!.loss, 5));
  let saved: Uint8Array | undefined;
  const memory: CheckpointStore = {
    load: async () => saved,
    save: async (bytes) => void (saved = bytes),
  };
  const killed = train(four, { ...short, accumulate: 4, checkpoints: killingStore(memory, 1) });
  await expect(killed).rejects.toThrow('killed');
  const resumed = await train(four, { ...short, accumulate: 4, checkpoints: memory });
  expect(bytesOf(resumed.tensors)).toEqual(bytesOf(found.tensors));
  await expect(train(four, { ...short, checkpoints: memory, accumulate: 2 })).rejects.toThrow(
    'belongs to another run: its accumulate is 4, not 2.',
  );
  await expect(train(four, { ...short, data, accumulate: 4 })).rejects.toThrow(
    '250 rows do not come out even in steps of 4 batches of 16.',
  );
});

/** A store that ends the run at its n-th save, after saving, as a kill would. */
function killingStore(inner: CheckpointStore, saves: number): CheckpointStore {
  let left = saves;
  return {
    load: () => inner.load(),
    async save(bytes) {
      await inner.save(bytes);
      if (--left === 0) throw new Error('killed');
    },
  };
}

it('resumes from a checkpoint with the same bits, in the middle of an epoch or after it', async () => {
  const folder = testFolder();
  const short = { ...plan, epochs: 4, checkpointEvery: 7 };
  const evaluate = async (tensors: Tensors) => tensors.get('layer0.bias')!.bytes[3]!;
  const wanted = await train(step, { ...short, evaluate });
  for (const saves of [1, 3, 6]) {
    const file = fileStore(join(folder, `${saves}.safetensors`));
    const killed = train(step, { ...short, evaluate, checkpoints: killingStore(file, saves) });
    await expect(killed).rejects.toThrow('killed');
    const resumed = await train(step, { ...short, evaluate, checkpoints: file });
    expect(bytesOf(resumed.tensors)).toEqual(bytesOf(wanted.tensors));
    expect(resumed.epochs).toEqual(wanted.epochs);
  }
  expect((await readdir(folder)).sort()).toEqual([
    '1.safetensors',
    '3.safetensors',
    '6.safetensors',
  ]);
});

it('depends on the seed', async () => {
  const short = { ...plan, epochs: 1 };
  const [one, same, other] = [
    await train(step, short),
    await train(step, short),
    await train(step, { ...short, seed: 10 }),
  ];
  expect(bytesOf(same.tensors)).toEqual(bytesOf(one.tensors));
  expect(bytesOf(other.tensors)).not.toEqual(bytesOf(one.tensors));
});

describe('stops', () => {
  it('when the evaluation no longer improves, with the best epoch’s tensors', async () => {
    const scores = [3, 2, 4, 2, 5, 1];
    const seen: string[] = [];
    const evaluate = async (tensors: Tensors, epoch: number) => {
      seen.push(Buffer.from(tensors.get('layer0.weight')!.bytes).toString('hex'));
      return scores[epoch]!;
    };
    const { epochs, stopped, tensors } = await train(step, { ...plan, evaluate, patience: 3 });
    expect(stopped).toBe('no improvement');
    expect(epochs.map(({ score }) => score)).toEqual([3, 2, 4, 2, 5]);
    expect(Buffer.from(tensors.get('layer0.weight')!.bytes).toString('hex')).toBe(seen[1]);
  });

  it('on a signal, and resumes from there', async () => {
    const saved: Uint8Array[] = [];
    const memory: CheckpointStore = {
      save: async (bytes) => void saved.push(bytes),
      load: async () => saved.at(-1),
    };
    const abort = new AbortController();
    const short = { ...plan, epochs: 2, checkpoints: memory };
    const stopping = {
      ...short,
      signal: abort.signal,
      onProgress: ({ step }: Progress) => step === 5 && abort.abort(),
    };
    const cut = await train(step, {
      ...stopping,
      onProgress: (each) => void stopping.onProgress(each),
    });
    expect(cut.stopped).toBe('signal');
    const resumed = await train(step, short);
    expect(bytesOf(resumed.tensors)).toEqual(
      bytesOf((await train(step, { ...plan, epochs: 2 })).tensors),
    );
  });

  it('when the loss is not a number, with the batch and its rows', async () => {
    const { x, labels } = moons(32, 1);
    const numbers = Array.from(new Float32Array(x.bytes.buffer));
    numbers[2 * 20] = NaN;
    const poisoned = dataset({ x: floats([32, 2], numbers), labels });
    const failure = await train(step, { ...plan, data: poisoned }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Diverged);
    const { message, rows, batch } = failure as Diverged;
    expect(message).toMatch(
      /^The loss is NaN at step \d+ \(epoch 0, batch [01], learning rate 0.0/,
    );
    expect([...rows]).toContain(20);
    const at = rows.indexOf(20);
    expect(new Float32Array(batch.get('x')!.bytes.buffer)[2 * at]).toBeNaN();
  });
});

it('estimates the remaining time from the pace so far', async () => {
  let clock = 0;
  const seen: Progress[] = [];
  const onProgress = (progress: Progress) => {
    seen.push(progress);
    clock += 10;
  };
  await train(step, { ...plan, epochs: 2, now: () => clock, onProgress });
  expect(seen.map(({ step }) => step)).toEqual(Array.from({ length: 32 }, (_, i) => i + 1));
  expect(seen[1]!.leftMs).toBeCloseTo((10 / 2) * 30);
  expect(seen.at(-1)!).toMatchObject({ epoch: 1, steps: 32, leftMs: 0 });
});

it('refuses the checkpoint of another run, or one that is damaged', async () => {
  let saved: Uint8Array | undefined;
  const memory: CheckpointStore = {
    save: async (bytes) => void (saved = bytes),
    load: async () => saved,
  };
  const short = { ...plan, epochs: 1, checkpoints: memory };
  await train(step, short);
  await expect(train(step, { ...short, seed: 3 })).rejects.toThrow(
    'belongs to another run: its seed is 9, not 3.',
  );
  const momentum = trainingStep(model, { ...graded, optimiser: sgd({ momentum: 0.9 }) });
  await expect(train(momentum, short)).rejects.toThrow(
    "'sgd.velocity/layer0.weight', float32 [16, 2], is missing.",
  );
  const whole = saved!;
  for (const length of [0, 7, 100, whole.byteLength - 1]) {
    saved = whole.slice(0, length);
    await expect(train(step, short)).rejects.toThrow('The checkpoint is damaged or cut off.');
  }
  saved = whole.slice();
  saved[whole.byteLength - 5]! ^= 1;
  await expect(train(step, short)).rejects.toThrow('The checkpoint is damaged or cut off.');
});
