import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boxesOf, meanInside, unclip } from './boxes.ts';
import { regionsOf, type ProbabilityMap } from './components.ts';
import { convexHull, cornersOf, distance, smallestRectangle, type Rectangle } from './geometry.ts';

const SIDE = 160;

/** 1 on every pixel whose centre lies in the rectangle. */
function drawn(...rectangles: readonly Rectangle[]): ProbabilityMap {
  const values = new Float32Array(SIDE * SIDE);
  for (const { axis, centre, width, height } of rectangles) {
    for (let index = 0; index < values.length; index++) {
      const dx = (index % SIDE) + 0.5 - centre.x;
      const dy = Math.floor(index / SIDE) + 0.5 - centre.y;
      const along = Math.abs(dx * axis.x + dy * axis.y);
      const across = Math.abs(dy * axis.x - dx * axis.y);
      if (along <= width / 2 && across <= height / 2) values[index] = 1;
    }
  }
  return { width: SIDE, height: SIDE, values };
}

const rectangle = fc
  .record({
    x: fc.double({ min: 70, max: 90, noNaN: true }),
    y: fc.double({ min: 70, max: 90, noNaN: true }),
    angle: fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
    width: fc.double({ min: 40, max: 80, noNaN: true }),
    height: fc.double({ min: 10, max: 20, noNaN: true }),
  })
  .map(({ x, y, angle, width, height }): Rectangle => ({
    centre: { x, y },
    axis: { x: Math.cos(angle), y: Math.sin(angle) },
    width,
    height,
  }));

describe('boxesOf', () => {
  it('recovers a drawn rectangle at any angle within a pixel, before it grows', () => {
    fc.assert(
      fc.property(rectangle, (core) => {
        const [region] = regionsOf(drawn(core), 0.5);
        const found = smallestRectangle(convexHull(region!.outline));
        // Every side of the hull of the pixel centres lies less than a pixel inside.
        const [long, short] = [
          Math.max(found.width, found.height),
          Math.min(found.width, found.height),
        ];
        expect(Math.abs(long - core.width)).toBeLessThan(2);
        expect(Math.abs(short - core.height)).toBeLessThan(2);
        expect(distance(found.centre, core.centre)).toBeLessThan(1);
        const wanted = cornersOf(core);
        for (const corner of cornersOf(found)) {
          expect(Math.min(...wanted.map((other) => distance(corner, other)))).toBeLessThan(2);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('returns the core grown by the formula of the paper', () => {
    fc.assert(
      fc.property(rectangle, (core) => {
        const map = drawn(core);
        const [region] = regionsOf(map, 0.5);
        const wanted = cornersOf(unclip(smallestRectangle(convexHull(region!.outline)), 1.5));
        const boxes = boxesOf(map);
        expect(boxes.map(({ quad }) => quad)).toEqual([wanted]);
        expect(boxes[0]!.score).toBeGreaterThan(0.9);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps adjacent lines apart', () => {
    const line = (y: number): Rectangle => ({
      centre: { x: 80, y },
      axis: { x: 1, y: 0 },
      width: 100,
      height: 8,
    });
    expect(boxesOf(drawn(line(30), line(42), line(54))).length).toBe(3);
  });

  it('drops what is thin, unsure or empty', () => {
    const thin: Rectangle = {
      centre: { x: 80, y: 80 },
      axis: { x: 1, y: 0 },
      width: 60,
      height: 2,
    };
    expect(boxesOf(drawn(thin))).toEqual([]);
    expect(boxesOf(drawn())).toEqual([]);
    const unsure = drawn({ ...thin, height: 12 });
    unsure.values.forEach((value, index) => (unsure.values[index] = value * 0.5));
    expect(boxesOf(unsure)).toEqual([]);
  });

  it('ends soon on a map of noise', () => {
    const values = Float32Array.from(
      { length: SIDE * SIDE },
      (_, index) => ((index * 7919) % 13) / 13,
    );
    expect(boxesOf({ width: SIDE, height: SIDE, values }).length).toBeLessThanOrEqual(1000);
  });
});

describe('unclip', () => {
  it('moves each side by area × ratio / perimeter', () => {
    const core = { centre: { x: 0, y: 0 }, axis: { x: 1, y: 0 }, width: 30, height: 10 };
    // 30·10·1.5 / (2·(30+10)) = 5.625
    expect(unclip(core, 1.5)).toMatchObject({ width: 41.25, height: 21.25 });
  });
});

describe('meanInside', () => {
  it('is the mean over the pixels whose centres lie inside', () => {
    fc.assert(
      fc.property(rectangle, (any) => {
        const values = Float32Array.from({ length: SIDE * SIDE }, (_, index) => (index * 31) % 101);
        const mask = drawn(any).values;
        let [total, count] = [0, 0];
        mask.forEach((inside, index) => {
          if (inside !== 1) return;
          total += values[index]!;
          count++;
        });
        const found = meanInside({ width: SIDE, height: SIDE, values }, any);
        expect(found).toBeCloseTo(total / count, 3);
      }),
      { numRuns: 40 },
    );
  });

  it('counts only what lies on the map', () => {
    const map = { width: 4, height: 4, values: new Float32Array(16).fill(0.5) };
    const beyond = { centre: { x: 0, y: 0 }, axis: { x: 1, y: 0 }, width: 50, height: 50 };
    expect(meanInside(map, beyond)).toBeCloseTo(0.5);
    expect(meanInside(map, { ...beyond, centre: { x: -99, y: 0 } })).toBe(0);
  });
});
