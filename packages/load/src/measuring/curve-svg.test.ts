import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logarithmicTicks } from '@skein/api/svg-chart';
import { latencyCurve, niceCeiling, type Curve } from './curve-svg.ts';

function curveOf(rates: readonly number[], p99: (rate: number) => number | null): Curve {
  return {
    title: 'a <b> & "c"',
    subtitle: 'test',
    objectiveMs: 100,
    capacity: rates[0],
    points: rates.map((rate) => {
      const ms = p99(rate);
      return {
        rate,
        report: {
          goodputPerSecond: ms === null ? 0 : rate,
          latency: { p50Ms: ms, p90Ms: ms, p99Ms: ms, p999Ms: ms, maxMs: ms, meanMs: ms },
        },
      };
    }),
  };
}

describe('latencyCurve', () => {
  it('draws every number inside its frame, whatever was measured', () => {
    const rates = fc.uniqueArray(fc.double({ min: 0.01, max: 1e6, noNaN: true }), {
      minLength: 1,
      maxLength: 12,
    });
    const latency = fc.option(fc.double({ min: 0.001, max: 1e6, noNaN: true }));
    fc.assert(
      fc.property(rates, fc.array(latency, { minLength: 12, maxLength: 12 }), (all, latencies) => {
        const svg = latencyCurve(curveOf(all, (rate) => latencies[all.indexOf(rate)] ?? null));
        expect(svg).not.toMatch(/NaN|Infinity|undefined/);
        for (const [, cx, cy] of svg.matchAll(/cx="([\d.-]+)" cy="([\d.-]+)"/g)) {
          expect(Number(cx)).toBeGreaterThanOrEqual(76);
          expect(Number(cx)).toBeLessThanOrEqual(796.1);
          expect(Number(cy)).toBeGreaterThanOrEqual(92);
          expect(Number(cy)).toBeLessThanOrEqual(352.1);
        }
      }),
    );
  });

  it('escapes names that a person chose', () => {
    const svg = latencyCurve(curveOf([1, 2], () => 5));
    expect(svg).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
    expect(svg).not.toContain('<b>');
  });
});

it('puts ticks around the range', () => {
  expect(logarithmicTicks(9, 300)).toEqual([5, 10, 20, 50, 100, 200, 500]);
  expect(logarithmicTicks(0.5, 5000)).toEqual([0.1, 1, 10, 100, 1000, 10_000]);
  expect([7, 100, 330, 4001].map(niceCeiling)).toEqual([8, 100, 400, 5000]);
});
