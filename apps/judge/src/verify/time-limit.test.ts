import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Problem, Requirement } from '../package/problem.ts';
import { inferredTimeLimit, timeContradictions, timeRole } from './time-limit.ts';

const problem = (
  acToTimeLimit: number,
  timeLimitToTle: number,
  timeResolutionMs: number,
): Problem =>
  ({
    shortName: 'p',
    limits: { multipliers: { acToTimeLimit, timeLimitToTle }, timeResolutionMs },
  }) as Problem;

const requirement = (part: Partial<Requirement>): Requirement => ({
  source: '',
  tests: undefined,
  permitted: undefined,
  required: undefined,
  score: undefined,
  message: undefined,
  useForTimeLimit: undefined,
  ...part,
});

describe('the time limit', () => {
  it('is the smallest multiple of the resolution that honours the factor', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e5, noNaN: true }),
        fc.double({ min: 1, max: 10, noNaN: true }),
        fc.constantFrom(100, 500, 1000),
        (slowest, factor, resolution) => {
          const p = problem(factor, 1.5, resolution);
          const limit = inferredTimeLimit(p, slowest);
          expect(limit % resolution).toBe(0);
          expect(limit).toBeGreaterThan(0);
          const bounds = { slowestAcceptedMs: slowest, fastestTooSlowMs: undefined };
          expect(timeContradictions(p, limit, bounds)).toEqual([]);
          if (limit > resolution) {
            expect(timeContradictions(p, limit - resolution, bounds)).toHaveLength(1);
          }
        },
      ),
    );
  });

  it('contradicts a too slow submission that is not slow enough', () => {
    const bounds = { slowestAcceptedMs: 100, fastestTooSlowMs: 1400 };
    expect(timeContradictions(problem(2, 1.5, 1000), 1000, bounds)).toHaveLength(1);
    expect(timeContradictions(problem(2, 1.2, 1000), 1000, bounds)).toEqual([]);
  });

  it.each<[Partial<Requirement>, 'lower' | 'upper' | undefined]>([
    [{ permitted: new Set(['AC']) }, 'lower'],
    [{ permitted: new Set(['AC', 'WA']), required: new Set(['WA']) }, 'lower'],
    [{ permitted: new Set(['AC', 'TLE']), required: new Set(['TLE']) }, 'upper'],
    [{ permitted: new Set(['AC', 'RTE', 'TLE']), required: new Set(['RTE', 'TLE']) }, undefined],
    [{ required: new Set(['RTE', 'TLE', 'WA']) }, undefined],
    [{ permitted: new Set(['AC']), useForTimeLimit: false }, undefined],
    [{ useForTimeLimit: 'upper' }, 'upper'],
  ])('is bounded by %j from %s', (part, role) => expect(timeRole(requirement(part))).toBe(role));
});
