import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  convexHull,
  cornersOf,
  depthOf,
  distance,
  grow,
  lengthOf,
  smallestRectangle,
  turn,
  type Point,
  type Rectangle,
} from './geometry.ts';

const point = fc.record({ x: fc.integer({ min: 0, max: 60 }), y: fc.integer({ min: 0, max: 60 }) });
const sorted = (points: Point[]): Point[] => points.toSorted((a, b) => a.y - b.y || a.x - b.x);

const rectangle = fc
  .record({
    x: fc.double({ min: 50, max: 90, noNaN: true }),
    y: fc.double({ min: 50, max: 90, noNaN: true }),
    angle: fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
    width: fc.double({ min: 25, max: 60, noNaN: true }),
    height: fc.double({ min: 6, max: 20, noNaN: true }),
  })
  .map(({ x, y, angle, width, height }): Rectangle => ({
    centre: { x, y },
    axis: { x: Math.cos(angle), y: Math.sin(angle) },
    width,
    height,
  }));

/** Area of the smallest of 3600 bounding rectangles: the truth to within a little. */
function naiveSmallestArea(points: readonly Point[]): number {
  let best = Infinity;
  for (let step = 0; step < 3600; step++) {
    const [cos, sin] = [Math.cos((step * Math.PI) / 7200), Math.sin((step * Math.PI) / 7200)];
    const along = points.map(({ x, y }) => x * cos + y * sin);
    const across = points.map(({ x, y }) => y * cos - x * sin);
    const extent = (values: number[]): number => Math.max(...values) - Math.min(...values);
    best = Math.min(best, extent(along) * extent(across));
  }
  return best;
}

describe('convexHull', () => {
  it('holds every point, turns one way only, and uses only points that were given', () => {
    fc.assert(
      fc.property(fc.array(point, { minLength: 3, maxLength: 40 }), (points) => {
        const hull = convexHull(sorted(points));
        for (const [index, from] of hull.entries()) {
          expect(points).toContainEqual(from);
          const to = hull[(index + 1) % hull.length]!;
          for (const { x, y } of points) {
            const side = (to.x - from.x) * (y - from.y) - (to.y - from.y) * (x - from.x);
            expect(side).toBeGreaterThanOrEqual(0);
          }
        }
      }),
    );
  });
});

describe('smallestRectangle', () => {
  it('has the least area, as trying 3600 angles confirms', () => {
    fc.assert(
      fc.property(fc.array(point, { minLength: 3, maxLength: 20 }), (points) => {
        const { width, height } = smallestRectangle(convexHull(sorted(points)));
        const naive = naiveSmallestArea(points);
        expect(width * height).toBeLessThanOrEqual(naive + 1e-6);
        expect(width * height).toBeGreaterThanOrEqual(naive * 0.97 - 3);
      }),
      { numRuns: 60 },
    );
  });

  it('finds a rectangle again from its corners', () => {
    fc.assert(
      fc.property(rectangle, (original) => {
        const corners = cornersOf(original);
        const found = cornersOf(smallestRectangle(convexHull(sorted([...corners]))));
        for (const corner of found) {
          expect(Math.min(...corners.map((other) => distance(corner, other)))).toBeLessThan(1e-6);
        }
      }),
    );
  });

  it('is empty for a single point', () => {
    expect(smallestRectangle([{ x: 3, y: 4 }])).toMatchObject({ centre: { x: 3, y: 4 }, width: 0 });
  });
});

describe('cornersOf', () => {
  it('goes clockwise from the top left, the side nearest to horizontal on top', () => {
    fc.assert(
      fc.property(rectangle, (any) => {
        const [a, b, c, d] = cornersOf(any);
        const along = { x: b.x - a.x, y: b.y - a.y };
        expect(Math.abs(along.y)).toBeLessThanOrEqual(Math.abs(along.x) + 1e-9);
        expect(along.x).toBeGreaterThan(0);
        const across = { x: d.x - a.x, y: d.y - a.y };
        expect(along.x * across.y - along.y * across.x).toBeCloseTo(any.width * any.height, 6);
        expect(distance(c, { x: b.x + across.x, y: b.y + across.y })).toBeLessThan(1e-9);
      }),
    );
  });
});

describe('turn and grow', () => {
  const quad = cornersOf({ centre: { x: 50, y: 30 }, axis: { x: 1, y: 0 }, width: 40, height: 10 });

  it('lets the second corner come first after one quarter, and is undone by three more', () => {
    expect(turn(quad, 1)[0]).toEqual(quad[1]);
    expect(turn(turn(quad, 1), 3)).toEqual(quad);
    expect(turn(quad, -1)).toEqual(turn(quad, 3));
  });

  it('moves every side outwards by its margin', () => {
    const margin = fc.double({ min: 0, max: 9, noNaN: true });
    fc.assert(
      fc.property(rectangle, margin, margin, (any, along, across) => {
        const quad = cornersOf(any);
        // cornersOf may return the short side as the text's; a rectangle orders its sides by length.
        const [right, down] = lengthOf(quad) > depthOf(quad) ? [along, across] : [across, along];
        const wider = { ...any, width: any.width + 2 * along, height: any.height + 2 * across };
        const expected = cornersOf(wider);
        for (const [index, corner] of grow(quad, right, down).entries()) {
          expect(distance(corner, expected[index]!)).toBeLessThan(1e-6);
        }
      }),
    );
  });
});
