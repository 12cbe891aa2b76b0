import { tensor, values } from '@skein/onnx';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batcher } from './batcher.ts';
import { dataset, selectRows, splitRows } from './dataset.ts';
import { shuffled } from './rows/shuffled.ts';

const rows = (count: number) =>
  dataset({
    x: tensor(
      'float32',
      [count, 2],
      Float32Array.from({ length: 2 * count }, (_, i) => i),
    ),
    y: tensor(
      'int64',
      [count],
      BigInt64Array.from({ length: count }, (_, i) => BigInt(i)),
    ),
  });

describe('an order', () => {
  it('is a permutation, the same for the same seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99 }), fc.nat(), (count, seed) => {
        const order = shuffled(count, seed);
        expect(shuffled(count, seed)).toEqual(order);
        expect([...order].sort((a, b) => a - b)).toEqual(
          Array.from({ length: count }, (_, i) => i),
        );
      }),
      { seed: 1 },
    );
  });

  it('puts every number at every place about as often', () => {
    const counts = Array.from({ length: 25 }, () => 0);
    for (let seed = 0; seed < 5000; seed++)
      shuffled(5, seed).forEach((each, i) => counts[5 * i + each]!++);
    // 1000 expected, with a deviation of 28.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

it('splits rows into two parts that are never empty', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 50 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (count, share) => {
        const [first, second] = splitRows(count, { share, seed: 3 });
        expect(Math.min(first.length, second.length)).toBeGreaterThan(0);
        expect(new Set([...first, ...second]).size).toBe(count);
      },
    ),
    { seed: 1 },
  );
  expect(() => splitRows(1, { share: 0.5, seed: 1 })).toThrow('1 rows cannot be split');
});

it('copies the rows that are selected', () => {
  const { count, tensors } = selectRows(rows(4), [3, 1, 3]);
  expect(count).toBe(3);
  expect(Array.from(values(tensors.get('x')!) as Float32Array)).toEqual([6, 7, 2, 3, 6, 7]);
  expect(() => selectRows(rows(4), [])).toThrow('No rows');
});

describe('batches', () => {
  it('hold every row once, and padding only where the mask is zero', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 7 }),
        fc.nat(),
        (count, size, seed) => {
          const batches = batcher(rows(count), { size, inputs: ['x', 'y'], mask: 'w' });
          const order = shuffled(count, seed);
          const seen: number[] = [];
          for (let index = 0; index < batches.count; index++) {
            const batch = batches.fill(order, index);
            const x = values(batch.tensors.get('x')!) as Float32Array;
            const y = values(batch.tensors.get('y')!) as BigInt64Array;
            const w = values(batch.tensors.get('w')!) as Float32Array;
            expect(y.length).toBe(size);
            for (let i = 0; i < size; i++) {
              expect(w[i]).toBe(i < batch.rows ? 1 : 0);
              expect([x[2 * i], x[2 * i + 1]]).toEqual([2 * Number(y[i]), 2 * Number(y[i]) + 1]);
              if (i < batch.rows) seen.push(Number(y[i]));
            }
          }
          expect(seen).toEqual([...order]);
        },
      ),
      { seed: 1 },
    );
  });

  it('are refused when they do not come out even without a mask, or an input is missing', () => {
    expect(() => batcher(rows(5), { size: 2, inputs: ['x'] })).toThrow(
      '5 rows do not come out even in batches of 2',
    );
    expect(() => batcher(rows(4), { size: 2, inputs: ['z'] })).toThrow("no 'z', only 'x', 'y'");
  });
});

it('refuses datasets that are empty or ragged', () => {
  expect(() => dataset({})).toThrow('no rows');
  expect(() =>
    dataset({
      x: tensor('uint8', [2], new Uint8Array(2)),
      y: tensor('uint8', [3], new Uint8Array(3)),
    }),
  ).toThrow("'x' has 2 rows, but 'y' has 3 rows");
});
