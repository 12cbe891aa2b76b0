/**
 * Connected regions of a probability map: where the detector is sure enough that there is text,
 * pixels that touch (also by a corner) belong together.
 *
 * Only the first and last pixel of each row are kept of a region, because nothing between them can
 * lie on its convex hull.
 */
import type { Point } from './geometry.ts';

/** [height, width] probabilities of text. */
export interface ProbabilityMap {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

export interface Region {
  /** Number of pixels. */
  readonly size: number;
  /** Centres of the outermost pixels of each row, sorted by y, then by x. */
  readonly outline: readonly Point[];
}

/** Regions above the threshold, in the order of their first pixel. */
export function* regionsOf(map: ProbabilityMap, threshold: number): Generator<Region> {
  const { width, height, values } = map;
  // 1: above the threshold and not yet in a region.
  const open = new Uint8Array(values.length);
  for (let index = 0; index < values.length; index++)
    open[index] = values[index]! > threshold ? 1 : 0;
  const left = new Int32Array(height);
  const right = new Int32Array(height);
  const pending: number[] = [];
  for (let seed = open.indexOf(1); seed !== -1; seed = open.indexOf(1, seed + 1)) {
    const top = Math.floor(seed / width);
    let bottom = top;
    let size = 0;
    open[seed] = 0;
    pending.push(seed);
    left[top] = width;
    right[top] = -1;
    for (let pixel = pending.pop(); pixel !== undefined; pixel = pending.pop()) {
      const y = Math.floor(pixel / width);
      const x = pixel - y * width;
      // The seed is the region's first pixel in reading order, so rows only ever appear below.
      for (; bottom < y; bottom++) {
        left[bottom + 1] = width;
        right[bottom + 1] = -1;
      }
      size++;
      if (x < left[y]!) left[y] = x;
      if (x > right[y]!) right[y] = x;
      const [firstX, lastX] = [Math.max(0, x - 1), Math.min(width - 1, x + 1)];
      const lastY = Math.min(height - 1, y + 1);
      for (let nextY = Math.max(0, y - 1); nextY <= lastY; nextY++) {
        for (let nextX = firstX; nextX <= lastX; nextX++) {
          const next = nextY * width + nextX;
          if (open[next] === 0) continue;
          open[next] = 0;
          pending.push(next);
        }
      }
    }
    yield { size, outline: outlineOf(left, right, top, bottom) };
  }
}

function outlineOf(left: Int32Array, right: Int32Array, top: number, bottom: number): Point[] {
  const outline: Point[] = [];
  for (let y = top; y <= bottom; y++) {
    outline.push({ x: left[y]! + 0.5, y: y + 0.5 });
    if (right[y]! > left[y]!) outline.push({ x: right[y]! + 0.5, y: y + 0.5 });
  }
  return outline;
}
