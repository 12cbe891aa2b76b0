/** DP-FedSGD: sampling, masked batches, noise, and the heart data under a budget. */
import { mlp, withLoss } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import { epsilonOf } from '../../privacy/accountant.ts';
import { clippedStep } from '../../privacy/clipped-step.ts';
import { secureRandom } from '../../privacy/secure-random.ts';
import type { Backend } from '../../run/backend.ts';
import { nativeBackend } from '../../run/native-backend.ts';
import { dataset } from '../../data/dataset.ts';
import { noHeartData } from '../../testing/heart.ts';
import { moons } from '../../testing/models.ts';
import { maskedSums, mean, privateHeartRuns } from '../../testing/private-heart.ts';
import { effectiveNoise, noisePlan } from '../encoding/noise-plan.ts';
import { openPrivateTraining, poissonSample, sampleBound } from './private-training.ts';
import type { SumEncoding } from '../encoding/sum-encoding.ts';

const graded = (batch: number) =>
  withLoss(mlp({ sizes: [2, 4, 2], seed: 5, batch }), {
    loss: { kind: 'cross-entropy' },
    target: 'labels',
    weights: 'sample',
    weightName: 'mask',
  });

async function updateWith(batch: number, rate?: number, random = secureRandom()) {
  const site = await openPrivateTraining(clippedStep(graded, { batch }), {
    backend: nativeBackend,
    rows: dataset(moons(37, 3)),
    mask: 'mask',
    sampling: rate === undefined ? { kind: 'all' } : { kind: 'poisson', rate },
    norm: 0.1,
    random,
  });
  const found = await site.localUpdate(site.initial);
  await site.close();
  return found;
}

it('gives the same sum in physical batches of any size', async () => {
  const [whole, parts] = [await updateWith(37), await updateWith(8)];
  expect([whole.rows, parts.rows]).toEqual([37, 37]);
  whole.update.forEach((each, i) => expect(parts.update[i]).toBeCloseTo(each, 5));
  // Every one of the 37 has at most the norm 0.1.
  expect(Math.hypot(...whole.update)).toBeLessThanOrEqual(3.7);
  expect(Math.hypot(...whole.update)).toBeGreaterThan(0.1);
});

it('draws samples of varying size, each row independently, and may draw none', async () => {
  const random = secureRandom();
  const samples = Array.from({ length: 4000 }, () => poissonSample(20, 0.3, random));
  const sizes = samples.map(({ length }) => length);
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  const variance = sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / sizes.length;
  // A binomial of 20 and 0.3 has the mean 6 and the variance 4.2; within six deviations of each.
  expect(Math.abs(mean - 6)).toBeLessThan(6 * Math.sqrt(4.2 / 4000));
  expect(Math.abs(variance - 4.2)).toBeLessThan(0.6);
  const together = samples.filter((rows) => rows.includes(3) && rows.includes(4)).length;
  expect(Math.abs(together / 4000 - 0.09)).toBeLessThan(0.03);
  const none = await updateWith(
    8,
    0.5,
    secureRandom((into) => void into.fill(255)),
  );
  expect(none.rows).toBe(0);
  expect([...none.update]).toEqual([...none.update].fill(0));
});

it.each(['book-keeping', 'one by one'] as const)(
  'runs a graph as often whatever the size of a sample is, with examples %s',
  async (mode) => {
    const step = clippedStep(graded, { batch: 8, oneByOne: mode === 'one by one' });
    expect(step.mode).toBe(mode);
    let runs = 0;
    const counting: Backend = {
      name: 'native',
      async open(...given) {
        const graph = await nativeBackend.open(...given);
        return {
          run(...tensors) {
            runs++;
            return graph.run(...tensors);
          },
          close: () => graph.close(),
        };
      },
    };
    const site = await openPrivateTraining(step, {
      backend: counting,
      rows: dataset(moons(200, 3)),
      mask: 'mask',
      sampling: { kind: 'poisson', rate: 0.1 },
      norm: 0.1,
    });
    const found = new Map<number, number>();
    while (found.size < 8) {
      runs = 0;
      const { rows } = await site.localUpdate(site.initial);
      found.set(rows, runs);
    }
    await site.close();
    const bound = sampleBound(200, 0.1);
    const wanted = mode === 'one by one' ? bound : Math.ceil(bound / 8);
    expect(new Set(found.values())).toEqual(new Set([wanted]));
  },
);

it.each([
  [200, 0.1],
  [20, 0.5],
  [5000, 0.002],
  [3, 0.9],
])(
  'bounds the sample of %d rows at rate %d but for 2^−40, not much above its mean',
  (count, rate) => {
    const bound = sampleBound(count, rate);
    let [term, above] = [Math.log1p(-rate) * count, 0];
    for (let size = 0; size <= count; size++) {
      if (size > bound) above += Math.exp(term);
      term += Math.log((count - size) / (size + 1)) + Math.log(rate / (1 - rate));
    }
    expect(above).toBeLessThanOrEqual(2 ** -40);
    const deviation = Math.sqrt(count * rate * (1 - rate));
    expect(bound).toBeLessThanOrEqual(Math.min(count, count * rate + 8 * deviation + 20));
  },
);

describe('the noise of a sum', () => {
  const encoding: SumEncoding = { length: 14, sites: 4, bits: 16, range: 200 };
  const plan = (more: object) =>
    noisePlan({ encoding, norm: 1, noise: 20, shares: 3, colluding: 0, ...more });

  it('is shared by the fewest honest sites that may stay', () => {
    const { sensitivity, shareDeviation, noise } = plan({ colluding: 1 });
    // Rounding lets one row move each of 14 residues by one level more.
    expect(sensitivity).toBeCloseTo(1 / (400 / 65_535) + Math.sqrt(14), 9);
    expect(shareDeviation).toBeCloseTo((20 * sensitivity) / Math.sqrt(2), 3);
    expect(noise).toBeCloseTo(20, 4);
  });

  it('counts what the shape of sums of discrete Gaussians costs', () => {
    const sum = { honest: 3, sensitivity: 10, numbers: 100 };
    const at = (variance: number) => effectiveNoise({ ...sum, variance });
    expect(at(16) / (Math.sqrt(48) / 10)).toBeCloseTo(1, 12);
    // τ = 10·(e^{−π²v} + e^{−4π²v/3}) for three shares.
    const tau = 10 * (Math.exp(-(Math.PI ** 2) / 2) + Math.exp((-2 * Math.PI ** 2) / 3));
    expect(at(0.5)).toBeCloseTo(1 / Math.sqrt(100 / 1.5 + 50 * tau), 6);
  });

  it('is refused where shares are too small or all of them may be known', () => {
    expect(() => plan({ noise: 0.05, norm: 0.1 })).toThrow('under 4');
    expect(() => plan({ colluding: 3 })).toThrow('leaves none');
  });

  it('of integers spends what its Rényi divergence bounds', () => {
    const spent = (kind: 'discrete' | 'gaussian', rate: number) =>
      epsilonOf(
        [
          {
            kind,
            noise: 2,
            steps: 50,
            sampling: rate === 1 ? { kind: 'all' } : { kind: 'poisson', rate },
          },
        ],
        1e-5,
      );
    expect(spent('discrete', 1).rdp).toEqual(spent('gaussian', 1).rdp);
    expect(spent('discrete', 1).pld).toBeUndefined();
    const sampled = spent('discrete', 0.01).epsilon;
    // The moments of both noises are the same, in samples too; no sampling costs far more.
    expect(sampled).toBeCloseTo(spent('gaussian', 0.01).rdp.epsilon, 12);
    expect(sampled).toBeLessThan(spent('discrete', 1).epsilon / 4);
  });
});

it.skipIf(noHeartData !== undefined)(
  'keeps, at four hospitals with ε ≤ 1, the accuracy of a training without noise',
  async () => {
    const { epsilon, accuracies, areas } = await privateHeartRuns(5);
    expect(epsilon).toBeLessThan(1);
    // The mean of five runs has a deviation of 0.004.
    expect(mean(accuracies)).toBeGreaterThan(0.78);
    expect(mean(areas)).toBeGreaterThan(0.87);
  },
);

it.skipIf(noHeartData !== undefined || process.env['SKEIN_FULL'] !== '1')(
  'keeps it over 30 runs with the sums of masked updates',
  async () => {
    const { epsilon, accuracies, areas } = await privateHeartRuns(30, await maskedSums());
    expect(epsilon).toBeLessThan(1);
    expect(mean(accuracies)).toBeGreaterThan(0.785);
    expect(mean(areas)).toBeGreaterThan(0.87);
  },
  600_000,
);

it('refuses a sampling that an accountant cannot count, and a norm that bounds nothing', async () => {
  const step = clippedStep(graded, { batch: 8 });
  const options = { backend: nativeBackend, rows: dataset(moons(9, 3)), mask: 'mask' };
  await expect(
    openPrivateTraining(step, { ...options, sampling: { kind: 'fixed', rate: 0.5 }, norm: 1 }),
  ).rejects.toThrow('Poisson sample');
  await expect(
    openPrivateTraining(step, { ...options, sampling: { kind: 'all' }, norm: Infinity }),
  ).rejects.toThrow('clipping norm Infinity');
});
