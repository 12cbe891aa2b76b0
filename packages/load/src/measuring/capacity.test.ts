import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCapacity } from './capacity.ts';

/** A server that keeps its objective up to a rate, and loses it gradually above. */
function serverOf(capacity: number) {
  const measured: number[] = [];
  const measure = (rate: number) => {
    measured.push(rate);
    return Promise.resolve({ attainment: rate <= capacity ? 1 : (capacity / rate) * 0.98 });
  };
  return { measured, measure };
}

const options = { quantile: 0.99, precision: 0.05, maxTries: 40 };

describe('findCapacity', () => {
  it('finds any capacity to its precision from any first guess', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0.2, max: 50_000, noNaN: true }),
        fc.double({ min: 0.1, max: 50_000, noNaN: true }),
        async (capacity, first) => {
          const { rate, brokenAt } = await findCapacity(serverOf(capacity).measure, {
            ...options,
            first,
          });
          expect(rate).toBeLessThanOrEqual(capacity);
          expect(rate * 1.0501).toBeGreaterThanOrEqual(capacity);
          expect(brokenAt).toBeGreaterThan(capacity);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('takes few tries from a fair guess', async () => {
    const server = serverOf(330);
    await findCapacity(server.measure, { ...options, first: 200 });
    expect(server.measured.length).toBeLessThanOrEqual(7);
  });

  it('reports that no rate is within the objective', async () => {
    const { rate, points } = await findCapacity(serverOf(0).measure, { ...options, first: 100 });
    expect(rate).toBe(0);
    expect(points.every(({ carried }) => !carried)).toBe(true);
    expect(points[0]?.rate).toBe(0.1);
  });

  it('stops at the bound of tries, with the best result so far', async () => {
    const { rate, brokenAt, points } = await findCapacity(serverOf(1e9).measure, {
      ...options,
      first: 1,
      maxTries: 5,
    });
    expect(points.map((point) => point.rate)).toEqual([1, 2, 4, 8, 16]);
    expect([rate, brokenAt]).toEqual([16, undefined]);
  });
});
