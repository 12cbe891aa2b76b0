/** Weights as small integers: one scale for each output channel, or for each block of a row. */
import { tensor, type NumericTensor } from '../tensor/tensor.ts';
import { roundToEven, weightScale } from './grid.ts';
import { scaleFits } from './kept-grid.ts';

/** Float weights of a layer, and the axis of its output channels. */
export interface Weights {
  readonly name: string;
  readonly shape: readonly number[];
  readonly axis: number;
  readonly numbers: Float32Array;
}

export interface IntegerWeights {
  /** In the order of the float weights. */
  readonly integers: Int8Array;
  /** By channel, or by channel and block: [channel, block]. */
  readonly scales: Float32Array;
}

/** Largest integers of symmetric weights of so many bits. */
export const levelsOf = (bits: number): number => 2 ** (bits - 1) - 1;

/**
 * One scale per output channel.
 * @param kept scales of an earlier version, which a channel keeps where they fit it: its integers then differ by
 *   little from that version's.
 */
export function perChannel(
  { shape, axis, numbers }: Weights,
  bits: number,
  kept?: Float32Array,
): IntegerWeights {
  const channels = shape[axis] ?? 1;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const channelOf = (at: number): number => Math.floor(at / inner) % channels;
  const levels = levelsOf(bits);
  const scales = new Float32Array(channels);
  for (let i = 0; i < numbers.length; i++) {
    const channel = channelOf(i);
    scales[channel] = Math.max(scales[channel]!, Math.abs(numbers[i]!));
  }
  for (let c = 0; c < channels; c++) {
    const largest = scales[c]!;
    const before = kept?.length === channels ? kept[c]! : 0;
    scales[c] = scaleFits(before, largest, levels) ? before : weightScale(largest, levels);
  }
  const integers = new Int8Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) {
    integers[i] = clamped(numbers[i]! / scales[channelOf(i)]!, levels);
  }
  return { integers, scales };
}

/** The weights that the integers stand for. */
export function restored({ shape, axis }: Weights, of: IntegerWeights): Float32Array {
  const channels = shape[axis] ?? 1;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  return Float32Array.from(
    of.integers,
    (integer, at) => integer * of.scales[Math.floor(at / inner) % channels]!,
  );
}

function clamped(value: number, levels: number): number {
  return Math.max(-levels, Math.min(levels, roundToEven(value)));
}

export function int8Tensor(shape: readonly number[], integers: Int8Array): NumericTensor {
  return tensor('int8', shape, integers);
}
