/** The peer for browsers: TensorFlow.js on its WebAssembly backend, one thread, the same perceptron. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
// For its side effect: it registers the gradients, which the core leaves out.
import '@tensorflow/tfjs-layers';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';

export interface TfjsMlp {
  readonly version: string;
  /** One step. */
  step(): Promise<void>;
}

const SIZES = [784, 200, 200, 10] as const;
const LEARNING_RATE = 0.01;

export async function openTfjsMlp(batch: number): Promise<TfjsMlp> {
  const entry = fileURLToPath(import.meta.resolve('@tensorflow/tfjs-backend-wasm'));
  setWasmPaths(join(dirname(entry), '/'));
  setThreadsCount(1);
  await tf.setBackend('wasm');
  await tf.ready();
  const weights = SIZES.slice(1).map((units, i) =>
    tf.variable(tf.randomNormal([SIZES[i] ?? 0, units], 0, 0.05)),
  );
  const biases = SIZES.slice(1).map((units) => tf.variable(tf.zeros([units])));
  const x = tf.randomNormal<tf.Rank.R2>([batch, SIZES[0]]);
  const target = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: batch }, (_, i) => i % 10),
      'int32',
    ),
    10,
  );
  const optimiser = tf.train.sgd(LEARNING_RATE);
  const loss = (): tf.Scalar => {
    let y: tf.Tensor = x;
    weights.forEach((w, i) => {
      y = tf.add(tf.matMul(y as tf.Tensor2D, w as tf.Tensor2D), biases[i] as tf.Tensor);
      if (i + 1 < weights.length) y = tf.relu(y);
    });
    return tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Scalar>(target, y);
  };
  return {
    version: tf.version_core,
    async step() {
      const cost = optimiser.minimize(loss, true);
      await cost?.data();
      cost?.dispose();
    },
  };
}
