/** The banded factorisation against published constants, dense matrices and what noise does to prefix sums. */
import { describe, expect, it } from 'vitest';
import { epsilonOf, noiseFor } from './accountant.ts';
import {
  bandedFactor,
  correlatedNoise,
  inverseOf,
  mostParticipations,
  prefixError,
  squareRootCoefficients,
  varianceGain,
} from './banded.ts';
import { secureRandom } from './secure-random.ts';

/** Lower triangular Toeplitz. */
const toeplitz = (column: ArrayLike<number>, n: number): number[][] =>
  Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_each, j) => (i >= j ? (column[i - j] ?? 0) : 0)),
  );
const product = (a: number[][], b: number[][]): number[][] =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, each, k) => sum + each * b[k]![j]!, 0)));
const ones = (n: number) => toeplitz(new Float64Array(n).fill(1), n);

describe('the factor', () => {
  it('is the square root of the prefix sums before it is cut off', () => {
    const root = squareRootCoefficients(12);
    expect(Array.from(root.subarray(0, 5))).toEqual([1, 1 / 2, 3 / 8, 5 / 16, 35 / 128]);
    const square = product(toeplitz(root, 12), toeplitz(root, 12));
    square.flat().forEach((each, i) => expect(each).toBeCloseTo(ones(12).flat()[i]!, 12));
    // Its inverse: 1, −1/2, −1/8, −1/16, −5/128.
    const inverse = inverseOf(root, 5);
    [1, -1 / 2, -1 / 8, -1 / 16, -5 / 128].forEach((each, k) =>
      expect(inverse[k]).toBeCloseTo(each, 14),
    );
  });

  it('has the error of Landau’s constants where it is not cut off: 1, 5/4, 89/64, 381/256, 25609/16384', () => {
    // ‖B‖ of the last row times ‖C‖ of the first column, both the same sum of squares (Fichtenberger et al.).
    for (const [n, constant] of [1, 5 / 4, 89 / 64, 381 / 256, 25609 / 16384].entries()) {
      const root = squareRootCoefficients(n + 1);
      expect(root.reduce((sum, each) => sum + each ** 2, 0)).toBeCloseTo(constant, 14);
    }
  });

  it.each([1, 4, 16])(
    'with %i bands has columns of norm 1 that do not overlap so far apart',
    (bands) => {
      const n = 3 * bands;
      const c = toeplitz(bandedFactor(bands), n);
      const column = (j: number) => c.map((row) => row[j]!);
      expect(Math.hypot(...column(0))).toBeCloseTo(1, 12);
      for (const j of [0, bands]) {
        const dot = column(j).reduce((sum, each, i) => sum + each * column(j + bands)[i]!, 0);
        expect(dot).toBe(0);
      }
      const inverse = toeplitz(inverseOf(bandedFactor(bands), n), n);
      product(c, inverse).forEach((row, i) =>
        row.forEach((each, j) => expect(each).toBeCloseTo(i === j ? 1 : 0, 10)),
      );
      // B = A C⁻¹, whose norm is the error.
      const b = product(ones(n), inverse);
      expect(prefixError(bands, n)).toBeCloseTo(Math.hypot(...b.flat()) / Math.sqrt(n), 9);
    },
  );

  it('is independent noise with one band, and much better with more', () => {
    expect(prefixError(1, 99)).toBeCloseTo(Math.sqrt(50), 10);
    expect(prefixError(16, 128)).toBeLessThan(prefixError(1, 128) / 2);
    expect(varianceGain(1)).toBe(1);
    expect(varianceGain(16)).toBeGreaterThan(1);
  });
});

describe('correlated noise', () => {
  const random = (seed: number) => (round: number) => {
    let state = (seed * 7919 + round * 104_729 + 1) >>> 0;
    return secureRandom((into) => {
      for (let i = 0; i < into.length; i += 1) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        into[i] = state >>> 24;
      }
    });
  };
  const options = { bands: 4, length: 5, deviation: 3, random: random(1) };

  it('is C⁻¹ z, in any order of asking, also from the beginning', () => {
    const rounds = 10;
    const [white, noise] = [correlatedNoise({ ...options, bands: 1 }), correlatedNoise(options)];
    const z = Array.from({ length: rounds }, (_, t) => white.of(t));
    const inverse = inverseOf(bandedFactor(4), rounds);
    for (const t of [0, 1, 2, 7, 7, 3, 9]) {
      const found = noise.of(t);
      for (let i = 0; i < 5; i += 1) {
        let expected = 0;
        for (let j = 0; j <= t; j += 1) expected += inverse[j]! * z[t - j]![i]!;
        expect(found[i]).toBeCloseTo(expected, 9);
      }
    }
    expect([...correlatedNoise(options).of(9)]).toEqual([...noise.of(9)]);
  });

  it('leaves the error in prefix sums that the factor says, and in one round the variance', () => {
    const [bands, steps, length] = [8, 40, 4000];
    const noise = correlatedNoise({ bands, length, deviation: 1, random: () => secureRandom() });
    const prefix = new Float64Array(length);
    let [square, last] = [0, 0];
    for (let t = 0; t < steps; t += 1) {
      const round = noise.of(t);
      round.forEach((each, i) => (prefix[i] = prefix[i]! + each));
      square += prefix.reduce((sum, each) => sum + each ** 2, 0) / length;
      last = round.reduce((sum, each) => sum + each ** 2, 0) / length;
    }
    expect(Math.sqrt(square / steps) / prefixError(bands, steps)).toBeCloseTo(1, 1);
    expect(last / varianceGain(bands)).toBeGreaterThan(0.85);
    expect(last / varianceGain(bands)).toBeLessThan(1.15);
  });
});

describe('the accountant', () => {
  it('counts in how many rounds an example was', () => {
    expect([mostParticipations(8, 8), mostParticipations(8, 9), mostParticipations(1, 9)]).toEqual([
      1, 2, 9,
    ]);
    const banded = epsilonOf([{ kind: 'banded', noise: 4, bands: 8, steps: 30 }], 1e-5);
    const four = { kind: 'gaussian', noise: 4, steps: 4, sampling: { kind: 'all' } } as const;
    const gaussian = epsilonOf([four], 1e-5);
    expect(banded.rdp).toEqual(gaussian.rdp);
    expect(banded.pld!).toBeCloseTo(gaussian.pld!, 3);
  });

  it('finds the noise of a budget, which bands of all rounds keep with the least', () => {
    const noise = (bands: number) =>
      noiseFor({ epsilon: 2, delta: 1e-5 }, (each) => [
        { kind: 'banded', noise: each, bands, steps: 64 },
      ]);
    expect(noise(64) * 2).toBeCloseTo(noise(16), 1);
    expect(() => epsilonOf([{ kind: 'banded', noise: 1, bands: 0, steps: 3 }], 1e-5)).toThrow(
      '0 bands',
    );
  });
});
