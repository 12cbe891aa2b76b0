/** The network of this example, a layer a line. */
import {
  activation,
  batchNorm,
  conv,
  dense,
  flatten,
  maxPool,
  sequential,
  type Layer,
  type Model,
} from '@skein/onnx';

/** Two stages that halve height and width, then a perceptron: [batch, 1, 28, 28] → logits [batch, outputs]. */
export function garmentNetwork(outputs: number, seed: number): Model {
  return sequential({
    input: { shape: [1, 28, 28] },
    layers: [
      ...stage(16),
      ...stage(32),
      flatten(),
      dense({ units: 128, activation: 'relu' }),
      dense({ units: outputs }),
    ],
    seed,
  });
}

/** The normalisation has a shift of its own, so that the convolution needs none. */
function stage(filters: number): Layer[] {
  return [conv({ filters, kernel: 3, bias: false }), batchNorm(), activation('relu'), maxPool()];
}
