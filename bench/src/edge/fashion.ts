/** A small convolutional network for Fashion-MNIST, trained here, and retrained as a publisher would. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import {
  conv,
  dense,
  flatten,
  maxPool,
  seededRandom,
  sequential,
  tensor,
  trainableParameters,
  withLoss,
  type Model,
  type NumericTensor,
} from '@skein/onnx';
import { adamW, openStep, trainingStep, withTrained } from '@skein/train';
import { nativeBackend } from '@skein/train/native';

const FOLDER = '/usr/share/datasets/fashion-mnist';
const PIXELS = 784;
const BATCH = 64;
/** Headers of the two IDX files, in bytes. */
const HEADERS = { images: 16, labels: 8 };

export interface Pictures {
  readonly count: number;
  batch(rows: readonly number[]): ReadonlyMap<string, NumericTensor>;
  label(row: number): number;
}

export function pictures(part: 'train' | 't10k'): Pictures {
  const read = (name: string, header: number): Uint8Array =>
    gunzipSync(readFileSync(`${FOLDER}/${part}-${name}.gz`)).subarray(header);
  const images = read('images-idx3-ubyte', HEADERS.images);
  const labels = read('labels-idx1-ubyte', HEADERS.labels);
  return {
    count: labels.length,
    label: (row) => labels[row]!,
    batch(rows) {
      const x = new Float32Array(rows.length * PIXELS);
      rows.forEach((row, i) => {
        for (let at = 0; at < PIXELS; at++) x[i * PIXELS + at] = images[row * PIXELS + at]! / 255;
      });
      const target = BigInt64Array.from(rows, (row) => BigInt(labels[row]!));
      return new Map<string, NumericTensor>([
        ['x', tensor('float32', [rows.length, 1, 28, 28], x)],
        ['target', tensor('int64', [rows.length], target)],
      ]);
    },
  };
}

export function network(): Model {
  return sequential({
    input: { shape: [1, 28, 28] },
    layers: [
      conv({ filters: 8, kernel: 3, activation: 'relu' }),
      maxPool(),
      conv({ filters: 16, kernel: 3, activation: 'relu' }),
      maxPool(),
      flatten(),
      dense({ units: 128, activation: 'relu' }),
      dense({ units: 10 }),
    ],
    seed: 1,
    opset: 21,
  });
}

/** Weights of the last layer, by the numbers of the layers of `network`. */
export const ALL_BUT_LAST = /^[0-5]\./;

export interface Training {
  readonly steps: number;
  readonly rate: number;
  readonly seed: number;
  readonly frozen?: readonly RegExp[];
}

/** Steps of AdamW at a rate that falls to zero, on rows that are drawn by the seed. */
export async function trained(
  model: Model,
  data: Pictures,
  { steps, rate, seed, frozen = [] }: Training,
): Promise<Model> {
  const { model: graded, ...loss } = withLoss(model, { loss: { kind: 'cross-entropy' } });
  const parameters = trainableParameters({ model: graded, ...loss }, frozen);
  const step = trainingStep(graded, { ...loss, optimiser: adamW(), parameters });
  const session = await openStep(step, nativeBackend, { threads: 2 });
  try {
    const random = seededRandom(seed);
    for (let at = 0; at < steps; at++) {
      const rows = Array.from({ length: BATCH }, () => Math.floor(random.next() * data.count));
      await session.step(data.batch(rows), rate * (1 - at / steps));
    }
    return withTrained(model, session.tensors());
  } finally {
    await session.close();
  }
}
