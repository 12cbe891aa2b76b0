import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attainment, burnRate, count, objectiveWindow } from './objective-window.ts';

describe('objective window', () => {
  it('agrees with a list of all events, slot by slot', () => {
    const event = fc.record({
      gapMs: fc.oneof(fc.nat(3000), fc.nat(400_000), fc.nat(8_000_000)),
      kept: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), fc.nat(4_000_000), (events, waitMs) => {
        const window = objectiveWindow();
        const seen: { at: number; kept: boolean }[] = [];
        let now = 0;
        for (const { gapMs, kept } of events) {
          now += gapMs;
          count(window, kept, now);
          seen.push({ at: now, kept });
        }
        now += waitMs;
        for (const minutes of [1, 5, 60]) {
          // Whole slots, including the current one.
          const from = (Math.floor(now / 10_000) + 1) * 10_000 - minutes * 60_000;
          const recent = seen.filter(({ at }) => at >= from);
          expect(attainment(window, minutes, now)).toEqual({
            total: recent.length,
            kept: recent.filter(({ kept }) => kept).length,
            seconds: (now - Math.max(0, from)) / 1000,
          });
        }
      }),
      { numRuns: 300 },
    );
  });

  it('has a burn rate of 1 if exactly the allowed share is missed', () => {
    expect(burnRate({ total: 1000, kept: 990, seconds: 60 }, 0.99)).toBeCloseTo(1, 9);
    expect(burnRate({ total: 1000, kept: 1000, seconds: 60 }, 0.99)).toBe(0);
    expect(burnRate({ total: 10, kept: 0, seconds: 60 }, 0.99)).toBeCloseTo(100, 9);
    expect(burnRate({ total: 0, kept: 0, seconds: 60 }, 0.99)).toBeNaN();
  });
});
