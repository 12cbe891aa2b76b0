/**
 * Boxes out of the detector's probability map: the post-processing of differentiable binarisation
 * (Liao et al., 2020) with PP-OCRv4's parameters.
 *
 * The network is trained to mark a shrunken core of each line, so that neighbours stay apart. A core
 * grows back by `area × ratio / perimeter` on every side, which is exact for the rectangle that is
 * kept of it.
 */
import { regionsOf, type ProbabilityMap } from './components.ts';
import { convexHull, cornersOf, smallestRectangle, type Quad, type Rectangle } from './geometry.ts';

/** Probability above which a pixel is text. */
const THRESHOLD = 0.3;
/** Least mean probability inside a box. */
const LEAST_SCORE = 0.6;
const UNCLIP_RATIO = 1.5;
/** Least short side in pixels of the map, before and after growing back. */
const LEAST_CORE = 3;
const LEAST_BOX = 5;
/** Largest number of regions that are examined; a noisy image may have many thousands. */
const MOST_REGIONS = 1000;

export interface Box {
  /** In the coordinates of the map, the side nearest to horizontal on top. */
  readonly quad: Quad;
  /** Mean probability inside the core. */
  readonly score: number;
}

export function boxesOf(map: ProbabilityMap): Box[] {
  const boxes: Box[] = [];
  let examined = 0;
  for (const region of regionsOf(map, THRESHOLD)) {
    if (region.size < LEAST_CORE * LEAST_CORE) continue;
    if (++examined > MOST_REGIONS) break;
    const core = smallestRectangle(convexHull(region.outline));
    if (Math.min(core.width, core.height) < LEAST_CORE) continue;
    const score = meanInside(map, core);
    if (score < LEAST_SCORE) continue;
    const box = unclip(core, UNCLIP_RATIO);
    if (Math.min(box.width, box.height) < LEAST_BOX) continue;
    boxes.push({ quad: cornersOf(box), score });
  }
  return boxes;
}

/** Grows a rectangle by `area × ratio / perimeter` on each side (Vatti clipping, eq. 10 of the paper). */
export function unclip(core: Rectangle, ratio: number): Rectangle {
  const offset = (core.width * core.height * ratio) / (2 * (core.width + core.height));
  return { ...core, width: core.width + 2 * offset, height: core.height + 2 * offset };
}

/** Mean probability of the pixels whose centres lie in the rectangle, its border included. */
export function meanInside(map: ProbabilityMap, rectangle: Rectangle): number {
  const { axis, centre } = rectangle;
  const halfWidth = rectangle.width / 2 + 1e-6;
  const halfHeight = rectangle.height / 2 + 1e-6;
  const reachX = Math.abs(axis.x) * halfWidth + Math.abs(axis.y) * halfHeight;
  const reachY = Math.abs(axis.y) * halfWidth + Math.abs(axis.x) * halfHeight;
  const fromX = Math.max(0, Math.floor(centre.x - reachX));
  const toX = Math.min(map.width - 1, Math.ceil(centre.x + reachX));
  const fromY = Math.max(0, Math.floor(centre.y - reachY));
  const toY = Math.min(map.height - 1, Math.ceil(centre.y + reachY));
  let total = 0;
  let count = 0;
  for (let y = fromY; y <= toY; y++) {
    const dy = y + 0.5 - centre.y;
    for (let x = fromX; x <= toX; x++) {
      const dx = x + 0.5 - centre.x;
      if (Math.abs(dx * axis.x + dy * axis.y) > halfWidth) continue;
      if (Math.abs(dy * axis.x - dx * axis.y) > halfHeight) continue;
      total += map.values[y * map.width + x]!;
      count++;
    }
  }
  return count === 0 ? 0 : total / count;
}
