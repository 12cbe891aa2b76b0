import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chosenEntries } from './chosen-entries.ts';
import {
  addResidues,
  assertEncoding,
  canBeSum,
  decodeSum,
  encodeUpdate,
  levelWidth,
  noiseShare,
  residueBits,
  residueCount,
  roundedUpdate,
  type EncodeOptions,
  type SumEncoding,
} from './sum-encoding.ts';

const plain: SumEncoding = { length: 3, sites: 4, bits: 16, range: 1 };
const seed = new Uint8Array(16).fill(7);

/** The sum of encoded updates, as masks would leave it. */
function summed(
  updates: readonly { readonly numbers: readonly number[]; readonly weight?: number }[],
  encoding: SumEncoding,
  options: EncodeOptions = {},
): Uint32Array {
  const sum = new Uint32Array(residueCount(encoding));
  for (const update of updates) {
    const residues = encodeUpdate(update, encoding, options);
    expect(residues.every((each) => each < 2 ** residueBits(encoding))).toBe(true);
    addResidues(sum, residues, encoding);
  }
  return sum;
}

describe('sums of encoded updates', () => {
  it('are the sums of the clipped updates to a level for each', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }).chain((sites) =>
          fc.record({
            bits: fc.constantFrom<8 | 16>(8, 16),
            range: fc.double({ min: 1e-3, max: 100, noNaN: true }),
            updates: fc.array(
              fc.array(fc.double({ min: -200, max: 200, noNaN: true }), {
                minLength: 5,
                maxLength: 5,
              }),
              { minLength: sites, maxLength: sites },
            ),
          }),
        ),
        ({ bits, range, updates }) => {
          const encoding: SumEncoding = { length: 5, sites: updates.length, bits, range };
          const sum = summed(
            updates.map((numbers) => ({ numbers })),
            encoding,
          );
          const decoded = decodeSum(sum, encoding, updates.length);
          expect(decoded.weight).toBe(updates.length);
          for (let i = 0; i < 5; i++) {
            const exact = updates.reduce(
              (total, each) => total + Math.min(Math.max(each[i]!, -range), range),
              0,
            );
            const most = updates.length * levelWidth(encoding) * 1.0001;
            expect(Math.abs(decoded.sum[i]! - exact)).toBeLessThanOrEqual(most);
          }
        },
      ),
      { numRuns: 60 },
    ));

  it('weigh sites without revealing their weights', () => {
    const encoding: SumEncoding = { ...plain, weight: { most: 300 } };
    const updates = [
      { numbers: [0.5, -0.5, 1], weight: 199 },
      { numbers: [-0.25, 0.125, 0], weight: 30 },
    ];
    const { sum, weight } = decodeSum(summed(updates, encoding), encoding, 2);
    expect(weight).toBe(229);
    const close = 2 * 300 * levelWidth(encoding);
    [92, -95.75, 199].forEach((each, i) => expect(Math.abs(sum[i]! - each)).toBeLessThan(close));
  });

  it('round without bias', () => {
    const encoding: SumEncoding = { length: 20_000, sites: 1, bits: 8, range: 1 };
    const number = 0.3 * levelWidth(encoding);
    const numbers = new Float32Array(encoding.length).fill(number);
    const { sum } = decodeSum(encodeUpdate({ numbers }, encoding), encoding, 1);
    const mean = sum.reduce((total, each) => total + each, 0) / sum.length;
    // Five deviations of the mean of 20,000 coins.
    expect(Math.abs(mean - number)).toBeLessThan(
      (5 * 0.5 * levelWidth(encoding)) / Math.sqrt(20_000),
    );
  });

  it('come back whole from noise that reaches below zero and above all levels', () => {
    const encoding: SumEncoding = {
      ...plain,
      length: 400,
      sites: 2,
      noise: { variance: 2 ** 30, shares: 2 },
    };
    const updates = [1, -1].map((level) => ({
      numbers: Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? level : -1)),
    }));
    const { sum } = decodeSum(summed(updates, encoding), encoding, 2);
    const deviation = Math.sqrt(2 ** 31) * levelWidth(encoding);
    expect(sum.every((each) => Math.abs(each) < 2 + 7 * deviation)).toBe(true);
    const square = sum.reduce((total, each, i) => total + (each - (i % 2 === 0 ? 0 : -2)) ** 2, 0);
    expect(Math.sqrt(square / 400) / deviation).toBeGreaterThan(0.8);
    expect(Math.sqrt(square / 400) / deviation).toBeLessThan(1.2);
  });

  it('carry the helpers’ noise in place of the sites’', () => {
    const encoding: SumEncoding = { ...plain, noise: { variance: 400, shares: 3 } };
    const quiet = summed([{ numbers: [0, 0, 0] }], encoding, { noise: false });
    const { sum } = decodeSum(quiet, encoding, 1);
    expect(sum.every((each) => Math.abs(each) <= levelWidth(encoding))).toBe(true);
    for (let i = 0; i < 3; i++) addResidues(quiet, noiseShare(encoding), encoding);
    const noisy = decodeSum(quiet, encoding, 1).sum;
    expect(noisy.some((each) => Math.abs(each) > levelWidth(encoding))).toBe(true);
  });

  it('take the part of the numbers that the stream of ChaCha20 gives, in every version', () => {
    // By the implementation of Python's cryptography 48.
    const of = { seed: new Uint8Array(32).fill(7), round: 1 };
    expect([...chosenEntries(1000, 5, of)]).toEqual([629, 571, 912, 595, 148]);
  });

  it('take the same random part of the numbers at every site', () => {
    const encoding: SumEncoding = {
      length: 1000,
      sites: 2,
      bits: 16,
      range: 1,
      sample: { share: 0.1 },
    };
    const numbers = Array.from({ length: 1000 }, () => 0.5);
    const parts = [0, 1].map((round) => {
      const sum = summed([{ numbers }, { numbers }], encoding, { seed, round });
      expect(sum).toHaveLength(100);
      return decodeSum(sum, encoding, 2, { seed, round }).sum;
    });
    for (const part of parts) {
      expect(part.filter((each) => each !== 0)).toHaveLength(100);
      // Ten times the sum of 1, so that the mean over rounds is right.
      expect(Math.max(...part)).toBeCloseTo(10, 2);
    }
    expect(parts[0]).not.toEqual(parts[1]);
    expect(() => encodeUpdate({ numbers }, encoding)).toThrow('public seed');
  });
});

it('a residue of 100 sites takes 23 bits, of the 32 of a float', () => {
  expect(residueBits({ length: 1, sites: 100, bits: 16, range: 1 })).toBe(23);
});

it('a checked sum leaves half of all residues free, also with all of a power of two of sites', () => {
  const encoding = { length: 1, sites: 64, bits: 16, range: 1 } as const;
  const checked = { ...encoding, isChecked: true };
  expect([residueBits(encoding), residueBits(checked)]).toEqual([22, 23]);
  const most = 64 * (2 ** 16 - 1);
  expect(canBeSum(Uint32Array.of(most), checked, 64)).toBe(true);
  expect(canBeSum(Uint32Array.of(most + 1), checked, 64)).toBe(false);
  expect(2 ** residueBits(checked)).toBeGreaterThanOrEqual(2 * (most + 1));
});

it.each([
  [{ ...plain, length: 0 }, '0 is not a number'],
  [{ ...plain, bits: 12 as 8 }, 'neither 8 nor 16'],
  [{ ...plain, range: Infinity }, 'range Infinity'],
  [{ ...plain, sites: 70_000 }, 'more than 32 bits'],
  [{ ...plain, noise: { variance: 0.5, shares: 1 } }, 'variance 0.5'],
  [{ ...plain, weight: { most: 3 }, noise: { variance: 16, shares: 1 } }, 'public number'],
  [{ ...plain, sample: { share: 2 } }, 'share 2'],
  [{ ...plain, noise: { variance: 2 ** 49, shares: 1 } }, 'above 2^24'],
] as const)('refuses %j', (encoding, message) => {
  expect(() => assertEncoding(encoding)).toThrow(message);
});

it.each([
  [{ numbers: [0, NaN, 0] }, plain, 'Number 1 of the update is NaN'],
  [{ numbers: [0, Infinity, 0] }, plain, 'Number 1 of the update is Infinity'],
  [{ numbers: [0] }, plain, '1 numbers, but the plan has 3'],
  [{ numbers: [0, 0, 0], weight: 9 }, { ...plain, weight: { most: 8 } }, 'weight 9'],
])('refuses the update %j', (update, encoding, message) => {
  expect(() => encodeUpdate(update, encoding)).toThrow(message);
});

it('distinguishes sums of updates with noise from residues that are masked still', () => {
  const encoding: SumEncoding = { ...plain, length: 1000, noise: { variance: 400, shares: 3 } };
  const sum = new Uint32Array(residueCount(encoding));
  const extremes = Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? 1 : -1));
  for (const numbers of [extremes, extremes]) {
    addResidues(sum, encodeUpdate({ numbers }, encoding), encoding);
  }
  expect(canBeSum(sum, encoding, 2)).toBe(true);
  const mask = crypto.getRandomValues(new Uint32Array(1000));
  addResidues(sum, mask, encoding);
  expect(canBeSum(sum, encoding, 2)).toBe(false);
});

it('cannot recognise residues of a site beyond its range: the mean may be anywhere within the range', () => {
  const sum = summed(
    [-1, -1, -1].map((each) => ({ numbers: [each, each, each] })),
    plain,
  );
  const beyond = new Uint32Array(3).fill(4 * (2 ** 16 - 1));
  addResidues(sum, beyond, plain);
  expect(canBeSum(sum, plain, 4)).toBe(true);
  const [mean] = decodeSum(sum, plain, 4).sum.map((each) => each / 4);
  // A fourth of the range is what its own update could do.
  expect(mean).toBeCloseTo(1, 4);
});

it.each([
  ['8 bits', { ...plain, bits: 8 }, 1],
  ['16 bits', plain, 1],
  ['weights', { ...plain, bits: 8, range: 0.3, weight: { most: 50 } }, 7],
] as const)('an update that was rounded before is encoded as it is: %s', (_, encoding, weight) => {
  const numbers = [0.123_456, -0.9, 1e6];
  let mean = 0;
  for (let time = 0; time < 400; time++) {
    const rounded = roundedUpdate({ numbers, weight }, encoding);
    const { sum } = decodeSum(encodeUpdate({ numbers: rounded, weight }, encoding), encoding, 1);
    sum.forEach((each, i) => expect(each).toBeCloseTo(weight * rounded[i]!, 9));
    mean += rounded[0]! / 400;
  }
  const most = encoding === plain || weight === 1 ? 1 : (0.3 * 50) / 7;
  expect(roundedUpdate({ numbers, weight }, encoding)[2]).toBeCloseTo(most, 9);
  // Six deviations of a rounding to one of two levels.
  const deviation = ((levelWidth(encoding) / weight) * (weight === 1 ? 1 : 50)) / 2;
  expect(Math.abs(mean - numbers[0]!)).toBeLessThan((6 * deviation) / 20);
  expect(() => roundedUpdate({ numbers: [1, NaN, 1] }, encoding)).toThrow('Number 1 of the update');
});
