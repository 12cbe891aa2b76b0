/** Labels of shapes other than one per row: pixels, tokens, shares of classes, and weighted rows. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  dense,
  embedding,
  GraphBuilder,
  positions,
  readModel,
  seededRandom,
  sequential,
  signatureOf,
  tensor,
  transformerBlock,
  writeModel,
  type Model,
} from '@skein/onnx';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { npy, npz } from '../../../../train/src/testing/npy.ts';
import { trainingFolder, type Trained } from '../../train/testing/training-folder.ts';

const { folder, fill, json, failure, remove } = trainingFolder();
beforeAll(fill);
afterAll(remove);

const SIZE = 8;
const IMAGES = 96;

/** Down, across and up again, with what was seen on the way down: three classes for every pixel. */
function unet(): Model {
  const random = seededRandom(3);
  const graph = new GraphBuilder('unet');
  const weight = (name: string, shape: readonly number[]) => {
    const count = shape.reduce((all, each) => all * each, 1);
    const scale = Math.sqrt(2 / (count / shape[0]!));
    const numbers = Float32Array.from({ length: count }, () => (2 * random.next() - 1) * scale);
    return graph.initializer(name, tensor('float32', shape, numbers));
  };
  const conv = (from: string, name: string, shape: readonly number[]) => {
    const pad = (shape[2]! - 1) / 2;
    const [out] = graph.node(
      'Conv',
      [from, weight(`${name}.w`, shape), weight(`${name}.b`, [shape[0]!])],
      { pads: [pad, pad, pad, pad], kernel_shape: shape.slice(2) },
      { name },
    );
    return out;
  };
  const relu = (from: string) => graph.node('Relu', [from])[0];
  graph.input('image', 'float32', ['batch', 1, SIZE, SIZE]);
  const wide = relu(conv('image', 'down', [6, 1, 3, 3]));
  const [pooled] = graph.node('MaxPool', [wide], { kernel_shape: [2, 2], strides: [2, 2] });
  const deep = relu(conv(pooled, 'across', [8, 6, 3, 3]));
  const [grown] = graph.node('ConvTranspose', [deep, weight('up.w', [8, 6, 2, 2])], {
    kernel_shape: [2, 2],
    strides: [2, 2],
  });
  const [both] = graph.node('Concat', [grown, wide], { axis: 1 });
  const logits = conv(relu(conv(both, 'join', [6, 12, 3, 3])), 'logits', [3, 6, 1, 1]);
  graph.output(logits, 'float32', ['batch', 3, SIZE, SIZE]);
  return graph.model();
}

/** A bright square, its dark border, and what is neither. */
function squares() {
  const random = seededRandom(5);
  const pixels = new Float32Array(IMAGES * SIZE * SIZE);
  const labels = new BigInt64Array(pixels.length);
  for (let image = 0; image < IMAGES; image++) {
    const [top, left] = [Math.floor(random.next() * 4), Math.floor(random.next() * 4)];
    for (let y = 0; y < SIZE; y++) {
      for (let x = 0; x < SIZE; x++) {
        const [dy, dx] = [y - top, x - left];
        const inside = dy >= 0 && dy < 4 && dx >= 0 && dx < 4;
        const border = inside && (dy === 0 || dy === 3 || dx === 0 || dx === 3);
        const at = (image * SIZE + y) * SIZE + x;
        labels[at] = border ? 1n : inside ? 2n : 0n;
        pixels[at] = (border ? -0.8 : inside ? 0.9 : 0) + 0.3 * (random.next() - 0.5);
      }
    }
  }
  return { pixels, labels };
}

it('a class for every pixel, with a small U-Net', async () => {
  const { pixels, labels } = squares();
  await writeFile(join(folder, 'unet.onnx'), writeModel(unet()));
  await writeFile(
    join(folder, 'squares.npz'),
    npz({
      image: npy([IMAGES, 1, SIZE, SIZE], pixels),
      labels: npy([IMAGES, SIZE, SIZE], labels),
    }),
  );
  const args = ['train', 'unet.onnx', '--data', 'squares.npz', '--lr', '0.02', '--epochs', '12'];
  const { run, model } = await json<Trained>(...args);
  const { report } = run.result!;
  if (report?.kind !== 'classification') throw new Error('no classification');
  expect(report).toMatchObject({ rows: 19, classes: ['0', '1', '2'] });
  expect(report.confusion.flat().reduce((sum, each) => sum + each, 0)).toBe(19 * SIZE * SIZE);
  // A square has 16 of 64 pixels, and 12 of them are border: a model that separates nothing is right for 0.75.
  expect(report.accuracy).toBeGreaterThan(0.97);
  expect(report.macroF1).toBeGreaterThan(0.95);
  expect(signatureOf(readModel(await readFile(model))).outputs).toMatchObject([
    { shape: ['batch', 3, SIZE, SIZE] },
  ]);
  // Further from where it was, and by two workers.
  const more = ['--epochs', '1', '--workers', '2', '--out', 'more.onnx'];
  const further = await json<Trained>('train', model, ...args.slice(2, 4), ...more);
  expect(further.run.epochs[0]!.loss).toBeLessThan(run.epochs[0]!.loss / 2);
  labels[SIZE * SIZE * 7 + 3] = 3n;
  await writeFile(
    join(folder, 'flawed.npz'),
    npz({
      image: npy([IMAGES, 1, SIZE, SIZE], pixels),
      labels: npy([IMAGES, SIZE, SIZE], labels),
    }),
  );
  expect((await failure('train', 'unet.onnx', '--data', 'flawed.npz')).error).toBe(
    'Row 7 has the label 3, which is out of range: there are 3 classes, 0 to 2.',
  );
  await writeFile(
    join(folder, 'flawed.npz'),
    npz({
      image: npy([4, 1, SIZE, SIZE], pixels.slice(0, 256)),
      labels: npy([4, 5], Array(20).fill(0)),
    }),
  );
  expect((await failure('train', 'unet.onnx', '--data', 'flawed.npz')).error).toMatch(
    /Labels of the shape \[rows, 5\] do not fit an output of \[batch, 3, 8, 8\]/,
  );
}, 60_000);

it('the next token of a text, with a small transformer', async () => {
  const [length, vocabulary, rows] = [12, 7, 128];
  const model = sequential({
    input: { name: 'text', type: 'int64', shape: [length] },
    layers: [
      embedding({ vocabulary, width: 16 }),
      positions(),
      transformerBlock({ heads: 2, causal: true }),
      dense({ units: vocabulary }),
    ],
    seed: 1,
  });
  await writeFile(join(folder, 'language.onnx'), writeModel(model));
  const random = seededRandom(8);
  const text = new BigInt64Array(rows * length);
  const next = new BigInt64Array(rows * length);
  for (let row = 0; row < rows; row++) {
    // Counting on by one or by two: the second token decides which.
    const [from, by] = [Math.floor(random.next() * vocabulary), 1 + (row % 2)];
    for (let at = 0; at < length; at++) {
      text[row * length + at] = BigInt((from + by * at) % vocabulary);
      // The last is not known, and does not count.
      next[row * length + at] =
        at === length - 1 ? -100n : BigInt((from + by * (at + 1)) % vocabulary);
    }
  }
  await writeFile(
    join(folder, 'text.npz'),
    npz({ text: npy([rows, length], text), labels: npy([rows, length], next) }),
  );
  await writeFile(
    join(folder, 'language.config.ts'),
    `export const training = { model: 'language.onnx', data: 'text.npz', rate: 0.01, epochs: 15,
       loss: { kind: 'cross-entropy', ignoreIndex: -100 } };`,
  );
  const { run } = await json<Trained>('train', '--config', 'language.config.ts');
  const { report } = run.result!;
  if (report?.kind !== 'classification') throw new Error('no classification');
  expect(report.confusion.flat().reduce((sum, each) => sum + each, 0)).toBe(26 * (length - 1));
  // The first token does not determine the rest of the text; the other ten do.
  expect(report.accuracy).toBeGreaterThan(0.9);
  expect((await failure('train', 'language.onnx', '--data', 'text.npz')).error).toMatch(
    /Row 0 has the label -100, which is out of range: there are 7 classes/,
  );
}, 60_000);

it('numbers for every place: images that are given back', async () => {
  const { pixels } = squares();
  const graph = new GraphBuilder('blur');
  graph.input('image', 'float32', ['batch', 1, SIZE, SIZE]);
  const kernel = graph.initializer('w', tensor('float32', [1, 1, 3, 3], new Float32Array(9)));
  graph.node('Conv', ['image', kernel], { pads: [1, 1, 1, 1] }, { outputs: ['blurred'] });
  graph.output('blurred', 'float32', ['batch', 1, SIZE, SIZE]);
  await writeFile(join(folder, 'blur.onnx'), writeModel(graph.model()));
  const shape = [IMAGES, 1, SIZE, SIZE];
  const doubled = pixels.map((each) => 2 * each);
  await writeFile(
    join(folder, 'doubled.npz'),
    npz({ image: npy(shape, pixels), labels: npy(shape, doubled) }),
  );
  const args = ['train', 'blur.onnx', '--data', 'doubled.npz', '--lr', '0.1', '--epochs', '30'];
  const { run } = await json<Trained>(...args);
  expect(run.task).toBe('regression');
  const { report } = run.result!;
  expect(report?.kind === 'regression' && report.r2).toBeGreaterThan(0.99);
});

it('shares of classes instead of a class', async () => {
  const random = seededRandom(4);
  const rows = 200;
  const x = Float32Array.from({ length: 2 * rows }, () => 2 * random.next() - 1);
  const shares = new Float32Array(3 * rows);
  for (let row = 0; row < rows; row++) {
    const scores = [x[2 * row]! * 3, x[2 * row + 1]! * 3, 0].map(Math.exp);
    const sum = scores.reduce((all, each) => all + each, 0);
    scores.forEach((score, i) => (shares[3 * row + i] = score / sum));
  }
  const write = (name: string, labels: Float32Array) =>
    writeFile(join(folder, name), npz({ x: npy([rows, 2], x), labels: npy([rows, 3], labels) }));
  await write('shares.npz', shares);
  await writeFile(
    join(folder, 'soft.config.ts'),
    `export const training = { model: 'mlp', data: 'shares.npz', rate: 0.1, epochs: 30,
       loss: { kind: 'cross-entropy', targets: 'probabilities' } };`,
  );
  const { run } = await json<Trained>('train', '--config', 'soft.config.ts');
  const { report } = run.result!;
  if (report?.kind !== 'classification') throw new Error('no classification');
  expect(report.classes).toEqual(['0', '1', '2']);
  expect(report.accuracy).toBeGreaterThan(0.95);
  // No loss is smaller than the entropy of the shares, which a linear model can reach here.
  const entropy = shares.reduce((sum, share) => sum - share * Math.log(share), 0) / rows;
  expect(report.loss).toBeGreaterThan(entropy * 0.8);
  expect(report.loss).toBeLessThan(entropy * 1.2);
  shares[3 * 9] = 2;
  await write('shares.npz', shares);
  expect((await failure('train', '--config', 'soft.config.ts')).error).toMatch(
    /^Row 9 has shares of classes that are not from 0 to 1 and 1 together: 2, /,
  );
  expect(
    (
      await failure(
        'train',
        '--config',
        'soft.config.ts',
        '--data',
        'points.csv',
        '--label',
        'side',
      )
    ).error,
  ).toMatch(/Labels that are shares of classes are an array/);
});

it('rows with weights from a column', async () => {
  const random = seededRandom(2);
  // Half of the labels are wrong, and count for nothing.
  const lines = Array.from({ length: 200 }, (_, row) => {
    const x = 2 * random.next() - 1;
    const right = row % 2 === 0;
    return `${x},${right ? 1 : 0},${right === x > 0 ? 'high' : 'low'}`;
  });
  await writeFile(join(folder, 'doubtful.csv'), `x,trust,side\n${lines.join('\n')}\n`);
  await writeFile(
    join(folder, 'sure.csv'),
    `x,side\n${lines
      .filter((_, row) => row % 2 === 0)
      .map((line) => line.replace(/,.*,/, ','))
      .join('\n')}\n`,
  );
  const args = ['train', '--model', 'mlp', '--data', 'doubtful.csv', '--label', 'side'];
  const plan = ['--lr', '0.1', '--epochs', '20', '--validation-data', 'sure.csv'];
  const accuracy = async (...words: string[]) => {
    const { run } = await json<Trained>(...args, ...plan, ...words);
    const { report } = run.result!;
    return { run, accuracy: report?.kind === 'classification' ? report.accuracy : 0 };
  };
  const weighted = await accuracy('--weights', 'trust');
  expect(weighted.accuracy).toBeGreaterThan(0.97);
  expect(weighted.run.plan).toMatchObject({ weights: 'trust' });
  const two = await accuracy('--weights', 'trust', '--workers', '2');
  two.run.epochs.forEach(({ loss }, i) =>
    expect(Math.abs(loss - weighted.run.epochs[i]!.loss)).toBeLessThan(1e-5),
  );
  // Without them there is nothing to be learnt from the column x.
  const blind = await accuracy('--features', 'x');
  expect(blind.run.epochs.at(-1)!.loss).toBeGreaterThan(0.6);
  expect((await failure(...args, ...plan, '--weights', 'side')).error).toBe(
    "The column 'side' holds texts, and no weights.",
  );
  expect((await failure(...args, ...plan, '--weights', 'x')).error).toMatch(
    /^Row \d+ has the weight -0\.\d+ in 'x'\.$/,
  );
});
