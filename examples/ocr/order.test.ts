import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cornersOf, turn, type Point, type Quad } from './geometry.ts';
import { readingOrder } from './order.ts';

/** A line of text whose box begins at its top left, on a page that is turned by `angle`. */
function line(x: number, y: number, width: number, height: number, angle = 0): Quad {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const turned = (corner: Point): Point => ({
    x: corner.x * cos - corner.y * sin,
    y: corner.x * sin + corner.y * cos,
  });
  const upright = cornersOf({
    centre: { x: x + width / 2, y: y + height / 2 },
    axis: { x: 1, y: 0 },
    width,
    height,
  });
  return [turned(upright[0]), turned(upright[1]), turned(upright[2]), turned(upright[3])];
}

const table = fc.array(
  fc.array(
    fc.record({ width: fc.integer({ min: 20, max: 80 }), drop: fc.integer({ min: -4, max: 4 }) }),
    {
      minLength: 1,
      maxLength: 4,
    },
  ),
  { minLength: 1, maxLength: 6 },
);

describe('readingOrder', () => {
  it('finds the rows of a table again, however it is shuffled and turned', () => {
    const angle = fc.double({ min: -Math.PI, max: Math.PI, noNaN: true });
    fc.assert(
      fc.property(
        table,
        angle,
        fc.array(fc.nat(), { minLength: 24, maxLength: 24 }),
        (rows, turned, keys) => {
          const cells = rows.flatMap((row, down) =>
            row.map(({ width, drop }, across) =>
              line(100 * across, 60 * down + drop, width, 20, turned),
            ),
          );
          const shuffled = cells
            .map((cell, index) => ({ cell, key: keys[index] ?? 0 }))
            .sort((a, b) => a.key - b.key)
            .map(({ cell }) => cell);
          expect(readingOrder(shuffled).map((index) => shuffled[index])).toEqual(cells);
        },
      ),
    );
  });

  it('puts a small line next to a tall one into its row', () => {
    const [tall, small, below] = [line(0, 0, 100, 60), line(150, 20, 60, 18), line(0, 70, 80, 20)];
    expect(readingOrder([below, small, tall])).toEqual([2, 1, 0]);
  });

  it('is not led astray by a vertical label at the margin', () => {
    const rows = [0, 1, 2, 3].map((row) => line(60, 40 * row, 200, 20));
    const label = turn(line(10, 0, 20, 140), 1);
    const order = readingOrder([label, ...rows]).filter((index) => index !== 0);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it('has nothing to order in nothing', () => {
    expect(readingOrder([])).toEqual([]);
  });
});
