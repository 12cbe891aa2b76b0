import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resample } from './resample.ts';

function tone(hertz: number, rate: number, seconds = 0.2): Float32Array {
  return Float32Array.from({ length: rate * seconds }, (_, index) =>
    Math.sin((2 * Math.PI * hertz * index) / rate),
  );
}

/** Largest difference, away from the ends, where there is no signal to filter. */
function worst(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let index = 500; index < a.length - 500; index++) {
    most = Math.max(most, Math.abs(a[index]! - b[index]!));
  }
  return most;
}

describe('resample', () => {
  it.each([8000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000])(
    'gives from %i Hz what sampling at 16,000 Hz gives',
    (rate) => {
      for (const hertz of [60, 440, 1000, 3000]) {
        const found = resample(tone(hertz, rate), rate, 16_000);
        expect(worst(found, tone(hertz, 16_000))).toBeLessThan(1e-3);
      }
    },
  );

  it.each([44_100, 48_000])('removes from %i Hz what would alias', (rate) => {
    for (const hertz of [8600, 11_000, 15_000, 20_000]) {
      const found = resample(tone(hertz, rate), rate, 16_000);
      expect(worst(found, new Float32Array(found.length))).toBeLessThan(1e-3);
    }
  });

  it('keeps a constant exactly, and the length in proportion', () => {
    const rate = fc.integer({ min: 4000, max: 96_000 });
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: 3000 }), (from, length) => {
        const found = resample(new Float32Array(length).fill(0.5), from, 16_000);
        expect(found.length).toBe(Math.ceil((length * 16_000) / from));
        const middle = found[Math.floor(found.length / 2)]!;
        if (length > 1500) expect(middle).toBeCloseTo(0.5, 5);
      }),
      { numRuns: 40 },
    );
  });

  it('returns the same samples for the same rate, and nothing for nothing', () => {
    const samples = tone(440, 16_000);
    expect(resample(samples, 16_000, 16_000)).toBe(samples);
    expect(resample(new Float32Array(0), 48_000, 16_000).length).toBe(0);
  });
});
