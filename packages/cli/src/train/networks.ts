/** Networks that a short text on the command line describes. */
import { conv, dense, flatten, maxPool, mlp, sequential, type Model } from '@skein/onnx';
import type { NetworkBuilder, NetworkShape } from '@skein/train';
import { usageError } from '../usage.ts';

/**
 * `mlp:64,32`: a perceptron with these hidden layers. `cnn:16,32`: convolutions of 3 × 3 with these
 * channels, each halving height and width, then one dense layer.
 * @returns `undefined` for a text that does not describe a network.
 */
export function networkOf(text: string): NetworkBuilder | undefined {
  const match = /^(mlp|cnn)(?::(\d+(?:,\d+)*))?$/.exec(text);
  if (match === null) return undefined;
  const widths = match[2]?.split(',').map(Number) ?? [];
  if (widths.includes(0)) throw usageError(`"${text}" has a layer without anything in it.`);
  return match[1] === 'mlp' ? perceptron(widths) : convolutional(widths);
}

function perceptron(hidden: readonly number[]): NetworkBuilder {
  return ({ inputs, outputs, seed }) => {
    const [first, ...others] = [...hidden, outputs];
    return mlp({ sizes: [inputs, first ?? outputs, ...others], seed });
  };
}

function convolutional(widths: readonly number[]): NetworkBuilder {
  return (shape) => convolutions(widths.length === 0 ? [16, 32] : widths, shape);
}

/** `x` [batch, channels, height, width] → `y` [batch, outputs]. */
function convolutions(widths: readonly number[], { row, outputs, seed }: NetworkShape): Model {
  const shape = row.length === 2 ? [1, ...row] : row;
  if (shape.length !== 3) {
    throw usageError(
      `cnn takes images, [channels, height, width], but a row has the shape [${row.join(', ')}].`,
    );
  }
  let smallest = Math.min(...shape.slice(1));
  const layers = widths.flatMap((filters) => {
    const layer = conv({ filters, kernel: 3, activation: 'relu' });
    // A side of one pixel cannot be halved.
    if (smallest < 2) return [layer];
    smallest = Math.floor(smallest / 2);
    return [layer, maxPool()];
  });
  return sequential({
    input: { shape },
    layers: [...layers, flatten(), dense({ units: outputs })],
    seed,
  });
}
