/** The trained networks, here and in the peers: the same shapes, batches of noise, plain SGD. */
import {
  conv,
  dense,
  flatten,
  maxPool,
  mlp,
  seededRandom,
  sequential,
  tensor,
  transformerBlock,
  withLoss,
  type LossModel,
  type Model,
  type NumericTensor,
} from '@skein/onnx';
import { openStep, sgd, trainingStep, type Optimiser, type StepSession } from '@skein/train';
import { nativeBackend } from '@skein/train/native';

export type ModelName = 'mlp' | 'cnn' | 'transformer';

export interface OpenModel {
  /** One step on the same batch. @returns the loss. */
  step(): Promise<number>;
  close(): Promise<void>;
}

const LEARNING_RATE = 0.01;
const LENGTH = 64;
const WIDTH = 128;

/** One thread, batch of a fixed size. */
export async function openModel(name: ModelName, batch: number): Promise<OpenModel> {
  const { model, options, rows } = gradedModel(name, batch);
  const session: StepSession = await openStep(trainingStep(model, options), nativeBackend, {
    threads: 1,
  });
  const feeds = new Map(Object.entries(rows));
  return { step: () => session.step(feeds, LEARNING_RATE), close: () => session.close() };
}

interface Graded {
  readonly model: Model;
  readonly options: Omit<LossModel, 'model'> & { readonly optimiser: Optimiser };
  readonly rows: { readonly x: NumericTensor; readonly target: NumericTensor };
}

/** A network with its loss, how it is trained, and one batch. */
export function gradedModel(name: ModelName, batch: number): Graded {
  const { model, x, target, loss } = parts(name, batch);
  const { model: graded, ...rest } = withLoss(model, { loss: { kind: loss } });
  return { model: graded, options: { ...rest, optimiser: sgd() }, rows: { x, target } };
}

interface Parts {
  readonly model: Model;
  readonly x: NumericTensor;
  readonly target: NumericTensor;
  readonly loss: 'cross-entropy' | 'mean-squared';
}

function parts(name: ModelName, batch: number): Parts {
  if (name === 'transformer') {
    const shape = [batch, LENGTH, WIDTH];
    const model = sequential({
      input: { shape: [LENGTH, WIDTH] },
      layers: [transformerBlock({ heads: 4 })],
      seed: 1,
      batch,
    });
    return { model, x: noise(shape, 2), target: noise(shape, 3), loss: 'mean-squared' };
  }
  const model = name === 'mlp' ? mlp({ sizes: [784, 200, 200, 10], seed: 1, batch }) : cnn(batch);
  const x = noise(name === 'mlp' ? [batch, 784] : [batch, 1, 28, 28], 2);
  return { model, x, target: labels(batch), loss: 'cross-entropy' };
}

/** The network for MNIST of McMahan et al., 2017. */
function cnn(batch: number): Model {
  return sequential({
    input: { shape: [1, 28, 28] },
    layers: [
      conv({ filters: 32, kernel: 5, activation: 'relu' }),
      maxPool(),
      conv({ filters: 64, kernel: 5, activation: 'relu' }),
      maxPool(),
      flatten(),
      dense({ units: 512, activation: 'relu' }),
      dense({ units: 10 }),
    ],
    seed: 1,
    batch,
  });
}

function noise(shape: readonly number[], seed: number): NumericTensor {
  const random = seededRandom(seed);
  const count = shape.reduce((all, dimension) => all * dimension, 1);
  // Uniform with the variance of PyTorch's normal noise.
  const values = Float32Array.from({ length: count }, () => (random.next() * 2 - 1) * Math.sqrt(3));
  return tensor('float32', shape, values);
}

function labels(batch: number): NumericTensor {
  return tensor(
    'int64',
    [batch],
    BigInt64Array.from({ length: batch }, (_, i) => BigInt(i % 10)),
  );
}
