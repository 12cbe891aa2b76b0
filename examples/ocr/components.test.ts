import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { regionsOf } from './components.ts';

/** Sizes of the regions by relabelling until nothing changes: slow, obvious, right. */
function naiveSizes(width: number, height: number, on: readonly boolean[]): number[] {
  const labels = on.map((is, index) => (is ? index : -1));
  for (let changed = true; changed;) {
    changed = false;
    for (let index = 0; index < labels.length; index++) {
      if (labels[index]! < 0) continue;
      const [x, y] = [index % width, Math.floor(index / width)];
      for (let other = 0; other < labels.length; other++) {
        const [otherX, otherY] = [other % width, Math.floor(other / width)];
        const touching = Math.abs(otherX - x) <= 1 && Math.abs(otherY - y) <= 1;
        if (touching && labels[other]! > labels[index]!) {
          labels[other] = labels[index]!;
          changed = true;
        }
      }
    }
  }
  expect(labels.length).toBe(width * height);
  const sizes = new Map<number, number>();
  for (const label of labels) if (label >= 0) sizes.set(label, (sizes.get(label) ?? 0) + 1);
  return [...sizes].sort(([a], [b]) => a - b).map(([, size]) => size);
}

const map = fc
  .record({ width: fc.integer({ min: 1, max: 9 }), height: fc.integer({ min: 1, max: 9 }) })
  .chain(({ width, height }) =>
    fc
      .array(fc.boolean(), { minLength: width * height, maxLength: width * height })
      .map((on) => ({ width, height, on })),
  );

it('finds the regions that relabelling finds, with the ends of each of their rows', () => {
  fc.assert(
    fc.property(map, ({ width, height, on }) => {
      const values = Float32Array.from(on, (is) => (is ? 0.9 : 0.1));
      const regions = [...regionsOf({ width, height, values }, 0.5)];
      expect(regions.map((region) => region.size)).toEqual(naiveSizes(width, height, on));
      for (const { outline } of regions) {
        for (const { x, y } of outline) {
          expect(on[Math.floor(y) * width + Math.floor(x)]).toBe(true);
        }
        expect(outline).toEqual(outline.toSorted((a, b) => a.y - b.y || a.x - b.x));
      }
    }),
  );
});

it('does not overflow on one region as large as the map', () => {
  const side = 960;
  const values = new Float32Array(side * side).fill(1);
  const [region, ...rest] = regionsOf({ width: side, height: side, values }, 0.5);
  expect(rest).toEqual([]);
  expect(region!.size).toBe(side * side);
  expect(region!.outline.length).toBe(2 * side);
});
