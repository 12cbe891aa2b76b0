/**
 * Bias correction: rounding a layer's weights shifts the mean of its results by −ΔW·E[x]; the
 * opposite shift is added to its bias.
 *
 * Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction (ICCV 2019),
 * §4.2, with means that are measured on the calibration samples.
 */
import type { ChannelMeans } from './calibration/channel-means.ts';
import type { Layer } from './layers.ts';
import { perChannel, restored } from './weights.ts';

/** The axis of a layer's input along which its weights have an input channel. */
export const inputAxis = ({ operator }: Layer): number => (operator === 'Conv' ? 1 : -1);

/** The shift by output channel; `undefined` for a layer without a bias to add it to. */
export function biasShift(
  layer: Layer,
  means: ChannelMeans,
  bits: number,
): Float32Array | undefined {
  if (layer.operator === 'MatMul') return undefined;
  const [weights] = layer.weights;
  const { shape, axis, numbers } = weights!;
  const outputs = shape[axis]!;
  const rounded = restored(weights!, perChannel(weights!, bits));
  const { means: expected } = means;
  const shift = new Float32Array(outputs);
  // [outputs, channels of a group, kernel…], or a matrix in either order.
  const channels = shape[1 - axis]!;
  const inner = numbers.length / outputs / channels;
  const groups = expected.length / channels;
  if (!Number.isInteger(groups) || outputs % groups !== 0) return undefined;
  for (let output = 0; output < outputs; output++) {
    const group = Math.floor(output / (outputs / groups));
    for (let channel = 0; channel < channels; channel++) {
      const start = axis === 0 ? (output * channels + channel) * inner : channel * outputs + output;
      let difference = 0;
      for (let i = start; i < start + inner; i++) difference += numbers[i]! - rounded[i]!;
      shift[output]! += difference * expected[group * channels + channel]!;
    }
  }
  return shift;
}
