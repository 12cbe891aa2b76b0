import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SkeinError, type ErrorCode } from '../errors.ts';
import { retryDelay } from './retry.ts';

const refusal = (code: ErrorCode, retryAfterMs?: number): SkeinError =>
  new SkeinError(code, 'refused', retryAfterMs === undefined ? {} : { retryAfterMs });

describe('retryDelay', () => {
  it('never retries an error that a retry cannot fix', () => {
    for (const code of ['INPUT_SHAPE', 'KEY_INVALID', 'INTERNAL', 'CANCELLED'] as const) {
      expect(retryDelay({}, 1, refusal(code, 5), 1e6, 0)).toBeUndefined();
    }
  });

  it('stops after the attempts', () => {
    expect(retryDelay({ attempts: 3 }, 2, refusal('QUEUE_FULL'), 1e6, 0.5)).toBeDefined();
    expect(retryDelay({ attempts: 3 }, 3, refusal('QUEUE_FULL'), 1e6, 0.5)).toBeUndefined();
  });

  it('waits at least as long as the node asks, and not beyond the deadline', () => {
    const property = fc.property(
      fc.nat({ max: 10_000 }),
      fc.nat({ max: 10_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (retryAfterMs, remainingMs, random) => {
        const wait = retryDelay({}, 1, refusal('QUEUE_FULL', retryAfterMs), remainingMs, random);
        if (wait === undefined) {
          expect(retryAfterMs * (1 + random / 4)).toBeGreaterThanOrEqual(remainingMs);
        } else {
          expect(wait).toBeGreaterThanOrEqual(retryAfterMs);
          expect(wait).toBeLessThan(remainingMs);
        }
      },
    );
    fc.assert(property);
  });

  it('backs off over a growing range when the node names no time, up to a bound', () => {
    // A node that cannot be reached names none.
    const error = refusal('NODE_UNREACHABLE');
    const longest = (tries: number): number | undefined =>
      retryDelay({ attempts: 99, baseMs: 50, maxMs: 400 }, tries, error, 1e6, 1);
    expect([1, 2, 3, 4, 5].map(longest)).toEqual([50, 100, 200, 400, 400]);
  });
});
