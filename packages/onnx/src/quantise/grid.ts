/**
 * Grids of integers: a real number r is stored as q, with r ≈ (q − zero) · scale.
 *
 * Activations are unsigned with any zero point; weights are signed and symmetric, so that a product
 * needs no correction for the zero point of its weights. ONNX Runtime's x64 kernels are written for
 * this pair.
 *
 * Jacob et al., Quantization and Training of Neural Networks (CVPR 2018), §2.
 */
import { invalidModel } from '../onnx-error.ts';

/** The interval of real numbers that a grid covers. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

export interface Grid {
  readonly scale: number;
  readonly zero: number;
}

/** Largest number of an unsigned activation. */
export const ACTIVATION_LEVELS = 255;
/**
 * The smallest scale: products of two scales are still normal float32 numbers, which a runtime does
 * not flush to zero.
 */
const LEAST_SCALE = 1e-18;

/**
 * The grid of unsigned bytes over a range. Zero is always on the grid, because padding writes zeros
 * and a rectifier's output begins there.
 */
export function activationGrid({ low, high }: Range): Grid {
  const from = Math.min(low, 0);
  const to = Math.max(high, 0);
  const scale = usable((to - from) / ACTIVATION_LEVELS);
  return { scale, zero: Math.min(ACTIVATION_LEVELS, Math.max(0, Math.round(-from / scale))) };
}

/** The scale of a symmetric grid from −`levels` to `levels`. */
export function weightScale(largest: number, levels: number): number {
  return usable(largest / levels);
}

/** Rounds to the even neighbour at a tie, as QuantizeLinear does. */
export function roundToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Rounds to float32, the type in which a model stores a scale. */
function usable(scale: number): number {
  return Math.fround(scale > LEAST_SCALE ? scale : scale > 0 ? LEAST_SCALE : 1);
}

/** @throws OnnxError `invalid` for NaN and infinities, which no grid covers. */
export function requireFinite(name: string, numbers: ArrayLike<number>): void {
  for (let i = 0; i < numbers.length; i++) {
    if (Number.isFinite(numbers[i])) continue;
    throw invalidModel(
      `'${name}' contains ${numbers[i]} at position ${i}, which cannot be quantised.`,
    );
  }
}
