/**
 * Points, quadrilaterals and the smallest rectangle around a set of points.
 *
 * Coordinates are in pixels, x to the right and y down, continuous: the centre of the first pixel
 * is (0.5, 0.5).
 */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Four corners, clockwise as seen, beginning where the text begins: its top left. */
export type Quad = readonly [Point, Point, Point, Point];

/** A rectangle at any angle. */
export interface Rectangle {
  readonly centre: Point;
  /** Unit vector along `width`; `height` lies along its perpendicular, a quarter turn clockwise. */
  readonly axis: Point;
  readonly width: number;
  readonly height: number;
}

export function distance(a: Point, b: Point): number {
  return Math.hypot(b.x - a.x, b.y - a.y);
}

/**
 * The corners of a rectangle, with the side nearest to horizontal on top. What this picks for a
 * line of vertical text is corrected by `turn`.
 */
export function cornersOf(rectangle: Rectangle): Quad {
  const { axis, centre, width, height } = rectangle;
  const steep = Math.abs(axis.y) > Math.abs(axis.x);
  const along = steep ? { x: -axis.y, y: axis.x } : axis;
  const sign = along.x < 0 ? -1 : 1;
  const [length, depth] = steep ? [height, width] : [width, height];
  const ux = (along.x * sign * length) / 2;
  const uy = (along.y * sign * length) / 2;
  const vx = (-along.y * sign * depth) / 2;
  const vy = (along.x * sign * depth) / 2;
  return [
    { x: centre.x - ux - vx, y: centre.y - uy - vy },
    { x: centre.x + ux - vx, y: centre.y + uy - vy },
    { x: centre.x + ux + vx, y: centre.y + uy + vy },
    { x: centre.x - ux + vx, y: centre.y - uy + vy },
  ];
}

/** Lets a quadrilateral begin `quarters` corners later: what was its top right comes first after one. */
export function turn(quad: Quad, quarters: number): Quad {
  const from = ((quarters % 4) + 4) % 4;
  const at = (index: number): Point => quad[((index + from) % 4) as 0 | 1 | 2 | 3];
  return [at(0), at(1), at(2), at(3)];
}

export function centreOf(quad: Quad): Point {
  return {
    x: (quad[0].x + quad[1].x + quad[2].x + quad[3].x) / 4,
    y: (quad[0].y + quad[1].y + quad[2].y + quad[3].y) / 4,
  };
}

/** Length of the side along which the text runs. */
export function lengthOf(quad: Quad): number {
  return (distance(quad[0], quad[1]) + distance(quad[3], quad[2])) / 2;
}

/** Length of the side across the text. */
export function depthOf(quad: Quad): number {
  return (distance(quad[0], quad[3]) + distance(quad[1], quad[2])) / 2;
}

/**
 * Moves every side outwards; the quad is taken for the parallelogram that it is.
 *
 * @param along added at both ends of the text.
 * @param across added above and below it.
 */
export function grow(quad: Quad, along: number, across: number): Quad {
  const [length, depth] = [Math.max(1e-6, lengthOf(quad)), Math.max(1e-6, depthOf(quad))];
  const alongX = ((quad[1].x - quad[0].x) / length) * along;
  const alongY = ((quad[1].y - quad[0].y) / length) * along;
  const acrossX = ((quad[3].x - quad[0].x) / depth) * across;
  const acrossY = ((quad[3].y - quad[0].y) / depth) * across;
  const move = ({ x, y }: Point, right: number, down: number): Point => ({
    x: x + right * alongX + down * acrossX,
    y: y + right * alongY + down * acrossY,
  });
  return [move(quad[0], -1, -1), move(quad[1], 1, -1), move(quad[2], 1, 1), move(quad[3], -1, 1)];
}

/**
 * The convex hull by Andrew's monotone chain, without points on its edges.
 *
 * @param points sorted by y, then by x.
 */
export function convexHull(points: readonly Point[]): Point[] {
  if (points.length < 3) return [...points];
  const half = (ordered: readonly Point[]): Point[] => {
    const chain: Point[] = [];
    for (const point of ordered) {
      while (
        chain.length > 1 &&
        !turnsLeft(chain[chain.length - 2]!, chain[chain.length - 1]!, point)
      ) {
        chain.pop();
      }
      chain.push(point);
    }
    chain.pop();
    return chain;
  };
  return [...half(points), ...half(points.toReversed())];
}

/**
 * The rectangle of smallest area around a convex polygon. One of its sides lies on an edge of the
 * polygon (Freeman and Shapira, 1975), so every edge is tried; a hull on a pixel grid is short
 * enough that rotating calipers would gain nothing.
 */
export function smallestRectangle(hull: readonly Point[]): Rectangle {
  const first = hull[0] ?? { x: 0, y: 0 };
  let best: Rectangle = { centre: first, axis: { x: 1, y: 0 }, width: 0, height: 0 };
  let bestArea = Infinity;
  for (let index = 0; index < hull.length; index++) {
    const from = hull[index]!;
    const to = hull[(index + 1) % hull.length]!;
    const length = distance(from, to);
    if (length === 0) continue;
    const axis = { x: (to.x - from.x) / length, y: (to.y - from.y) / length };
    let [minAlong, maxAlong, minAcross, maxAcross] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const point of hull) {
      const along = point.x * axis.x + point.y * axis.y;
      const across = point.y * axis.x - point.x * axis.y;
      minAlong = Math.min(minAlong, along);
      maxAlong = Math.max(maxAlong, along);
      minAcross = Math.min(minAcross, across);
      maxAcross = Math.max(maxAcross, across);
    }
    const [width, height] = [maxAlong - minAlong, maxAcross - minAcross];
    if (width * height >= bestArea) continue;
    bestArea = width * height;
    const [along, across] = [(minAlong + maxAlong) / 2, (minAcross + maxAcross) / 2];
    best = {
      centre: { x: along * axis.x - across * axis.y, y: along * axis.y + across * axis.x },
      axis,
      width,
      height,
    };
  }
  return best;
}

function turnsLeft(a: Point, b: Point, c: Point): boolean {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) > 0;
}
