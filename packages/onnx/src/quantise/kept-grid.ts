/**
 * The grids of an earlier version. A retrained model that keeps them has integers that differ by little from those
 * before, so that a device downloads a small difference.
 *
 * A grid is kept where it fits: a scale that cuts much of the new weights, or is far coarser than they need, costs
 * accuracy in every version after it.
 */
import type { Model } from '../model/model.ts';
import { tensorOf } from '../model/protos.ts';
import { values, type NumericTensor } from '../tensor/tensor.ts';
import { ACTIVATION_LEVELS, type Grid, type Range } from './grid.ts';

/** Steps by which the largest weight may lie outside the grid. */
const MOST_CUT_STEPS = 4;
/** How much coarser than needed the steps of weights may be. */
const MOST_COARSER = 1.25;
/** How far the ends of a range may move, as a share of its width. */
const MOST_MOVED = 0.1;

export interface KeptGrid {
  /** By channel; absent if the earlier version had no such weights. */
  scales(weights: string): Float32Array | undefined;
  activation(value: string): Grid | undefined;
}

/** @param earlier a result of `quantise`. */
export function keptGrid(earlier: Model): KeptGrid {
  const stored = new Map(earlier.graph!.initializer.map((each) => [each.name, each]));
  const numbers = (name: string, type: NumericTensor['type']): ArrayLike<number> | undefined => {
    const proto = stored.get(name);
    const value = proto && tensorOf(proto);
    return value?.type === type ? (values(value) as Float32Array) : undefined;
  };
  return {
    scales: (name) =>
      (numbers(`${name}/scale`, 'float32') ?? numbers(`${name}/factor`, 'float32')) as
        | Float32Array
        | undefined,
    activation(value) {
      const scale = numbers(`${value}/scale`, 'float32')?.[0];
      const zero = numbers(`${value}/zero`, 'uint8')?.[0];
      return scale === undefined || zero === undefined ? undefined : { scale, zero };
    },
  };
}

/** Whether a scale fits weights up to a size. @param levels largest integer. */
export function scaleFits(scale: number, largest: number, levels: number): boolean {
  const steps = largest / scale;
  return steps <= levels + MOST_CUT_STEPS && steps * MOST_COARSER >= levels;
}

export function gridFits({ scale, zero }: Grid, { low, high }: Range): boolean {
  const width = scale * ACTIVATION_LEVELS;
  const from = -zero * scale;
  return [Math.min(low, 0) - from, Math.max(high, 0) - from - width].every(
    (moved) => Math.abs(moved) <= MOST_MOVED * width,
  );
}
