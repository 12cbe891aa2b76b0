import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resize, take, tokenBucket } from './token-bucket.ts';

describe('token bucket', () => {
  it('admits the requests of one second at once, then one per interval', () => {
    const bucket = tokenBucket(4);
    expect([1, 2, 3, 4].map(() => take(bucket, 1000))).toEqual([0, 0, 0, 0]);
    expect(take(bucket, 1000)).toBeCloseTo(250, 6);
    expect(take(bucket, 1249)).toBeCloseTo(1, 6);
    expect(take(bucket, 1250)).toBe(0);
    expect(take(bucket, 1250)).toBeCloseTo(250, 6);
  });

  it('allows one request per interval below one per second', () => {
    const bucket = tokenBucket(0.1);
    expect(take(bucket, 0)).toBe(0);
    expect(take(bucket, 1)).toBeCloseTo(9999, 6);
    expect(take(bucket, 10_000)).toBe(0);
  });

  it('agrees with a bucket that counts tokens', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 }),
        (rate, gaps) => {
          const bucket = tokenBucket(rate);
          let tokens = rate;
          let now = 0;
          for (const gap of gaps) {
            now += gap;
            tokens = Math.min(rate, tokens + (gap * rate) / 1000);
            const wait = take(bucket, now);
            if (tokens >= 1 - 1e-6) {
              expect(wait).toBe(0);
              tokens -= 1;
            } else {
              expect(wait).toBeCloseTo(((1 - tokens) * 1000) / rate, 3);
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('admits a request after the returned wait', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 5000, noNaN: true }), (rate) => {
        const bucket = tokenBucket(rate);
        let now = 12_345.678;
        let wait = 0;
        while ((wait = take(bucket, now)) === 0);
        now += Math.ceil(wait);
        expect(take(bucket, now)).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it('admits no more than the limit, however its shares move between nodes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 8, max: 400 }),
        fc.array(fc.array(fc.nat(100), { minLength: 4, maxLength: 4 }), {
          minLength: 2,
          maxLength: 40,
        }),
        (rate, moves) => {
          const nodes = [0, 1, 2, 3].map(() => tokenBucket(rate / 4));
          let now = 0;
          let admitted = 0;
          for (const demands of moves) {
            const all = demands.reduce((sum, demand) => sum + demand, 0) || 1;
            for (const [index, node] of nodes.entries()) {
              resize(node, (rate * demands[index]!) / all, now);
            }
            for (let step = 0; step < 10; step++, now += 25) {
              for (const node of nodes) while (take(node, now) === 0) admitted += 1;
            }
          }
          // A node of a small share may always admit one more than its share.
          expect(admitted).toBeLessThanOrEqual(rate + (rate * now) / 1000 + nodes.length);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('keeps its tokens when its rate changes', () => {
    const bucket = tokenBucket(10);
    for (let index = 0; index < 6; index++) take(bucket, 0);
    resize(bucket, 100, 0);
    expect([0, 1, 2, 3].map(() => take(bucket, 0))).toEqual([0, 0, 0, 0]);
    expect(take(bucket, 0)).toBeCloseTo(10, 6);
    resize(bucket, 0, 1000);
    expect(take(bucket, 1000)).toBe(0);
    expect(take(bucket, 10_000)).toBeGreaterThan(60_000);
    resize(bucket, 10, 10_000);
    expect(take(bucket, 10_000)).toBeCloseTo(100, 3);
  });
});
