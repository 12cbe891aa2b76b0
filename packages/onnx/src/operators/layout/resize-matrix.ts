/**
 * The weights of Resize along one axis, as the ONNX specification defines them (operator Resize,
 * `coordinate_transformation_mode` and `nearest_mode`; its reference implementation for borders).
 *
 * Coordinates are computed in float32, as ONNX Runtime does: a nearest neighbour on the border
 * between two cells falls to the same side.
 */
import type { AxisMatrix } from './axis-map.ts';

export interface ResizeForm {
  /** nearest, linear or cubic. */
  readonly mode: string;
  /** `coordinate_transformation_mode`. */
  readonly coordinates: string;
  /** `nearest_mode`. */
  readonly rounding: string;
  /** `cubic_coeff_a`. */
  readonly cubic: number;
  /** `exclude_outside`. */
  readonly excludes: boolean;
}

const f = Math.fround;

/** [out][size]; `undefined` for a coordinate transformation that is not covered. */
export function resizeMatrix(
  form: ResizeForm,
  size: number,
  out: number,
  scale: number,
): AxisMatrix | undefined {
  const origin = Object.hasOwn(ORIGINS, form.coordinates) ? ORIGINS[form.coordinates] : undefined;
  if (origin === undefined) return undefined;
  return Array.from({ length: out }, (_, o) => {
    const at = origin(o, scale, size, out);
    const row = new Float64Array(size);
    if (form.mode === 'nearest') row[inside(nearest(at, form.rounding), size)] = 1;
    else if (form.mode === 'linear') addLinear(row, at);
    else addCubic(row, at, form);
    return row;
  });
}

/** How often each input is repeated, when the resize does nothing else. */
export function repetition(
  form: ResizeForm,
  size: number,
  out: number,
  scale: number,
): number | undefined {
  const factor = out / size;
  if (form.mode !== 'nearest' || !Number.isInteger(factor)) return undefined;
  const matrix = resizeMatrix(form, size, out, scale);
  const repeats = matrix?.every((row, o) => row[Math.floor(o / factor)] === 1);
  return repeats === true ? factor : undefined;
}

/** Where an output lies on the input's axis. */
const ORIGINS: Readonly<
  Record<string, (o: number, scale: number, size: number, out: number) => number>
> = {
  asymmetric: (o, scale) => f(o / scale),
  half_pixel: (o, scale) => f(f((o + 0.5) / scale) - 0.5),
  pytorch_half_pixel: (o, scale, _, out) => (out > 1 ? f(f((o + 0.5) / scale) - 0.5) : 0),
  tf_half_pixel_for_nn: (o, scale) => f((o + 0.5) / scale),
  align_corners: (o, _, size, out) => (out === 1 ? 0 : f(f(o * (size - 1)) / (out - 1))),
  half_pixel_symmetric: (o, scale, size, out) => {
    const adjustment = f(out / f(scale * size));
    const centre = size / 2;
    const offset = f(centre * f(1 - adjustment));
    return f(f(offset + f((o + 0.5) / scale)) - 0.5);
  },
};

function nearest(at: number, rounding: string): number {
  switch (rounding) {
    case 'floor':
      return Math.floor(at);
    case 'ceil':
      return Math.ceil(at);
    case 'round_prefer_ceil':
      return Math.floor(f(at + 0.5));
    default:
      return Math.ceil(f(at - 0.5));
  }
}

function addLinear(row: Float64Array, at: number): void {
  const clamped = Math.min(Math.max(at, 0), row.length - 1);
  const low = Math.floor(clamped);
  const share = clamped - low;
  row[low]! += 1 - share;
  if (share > 0) row[low + 1]! += share;
}

/** Keys, "Cubic convolution interpolation for digital image processing" (1981). */
function addCubic(row: Float64Array, at: number, { cubic: a, excludes }: ResizeForm): void {
  const low = Math.floor(at);
  const weights = [-1, 0, 1, 2].map((offset) => {
    const distance = Math.abs(at - (low + offset));
    if (excludes && (low + offset < 0 || low + offset >= row.length)) return 0;
    return distance <= 1
      ? ((a + 2) * distance - (a + 3)) * distance * distance + 1
      : ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a;
  });
  const sum = excludes ? weights.reduce((total, weight) => total + weight, 0) : 1;
  weights.forEach((weight, i) => {
    row[inside(low + i - 1, row.length)]! += weight / sum;
  });
}

function inside(at: number, size: number): number {
  return Math.min(Math.max(at, 0), size - 1);
}
