/** The auditor against Skein's private training, and against mutants of it. */
import { values } from '@skein/onnx';
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/dataset.ts';
import { sgd } from '../../optimisers/sgd.ts';
import { gradientStep } from '../../parallel/gradient-step.ts';
import { audit, type AuditOptions, type AuditReport } from '../../privacy/audit/audit.ts';
import { gaussianEpsilon, oneRunEpsilon } from '../../privacy/audit/bounds.ts';
import { clippedStep } from '../../privacy/clipped-step.ts';
import { secureRandom, type SecureRandom } from '../../privacy/secure-random.ts';
import { nativeBackend } from '../../run/native-backend.ts';
import {
  AUDIT_NORM,
  canaryModel,
  privateTrainingTarget,
  type ReleasedRound,
} from './audit-target.ts';
import type { NoisePlan } from '../encoding/noise-plan.ts';
import { openPrivateTraining } from '../training/private-training.ts';
import {
  addResidues,
  decodeSum,
  encodeUpdate,
  residueCount,
  type SumEncoding,
} from '../encoding/sum-encoding.ts';

/** Half of the noise is flagged with five deviations to spare. */
const CANARIES = 1600;
const options = { backend: nativeBackend, noise: 1, rounds: 1, delta: 1e-5, canaries: CANARIES };

type Mutant = (rows: readonly Dataset[], plan: NoisePlan) => Promise<ReleasedRound>;

const audited = (round?: Mutant, how: AuditOptions = {}): Promise<AuditReport> =>
  audit(privateTrainingTarget(round === undefined ? options : { ...options, round }), how);

/** Rounds whose sites encode in another way than they should. */
function encodedAs(
  encoding: (plan: NoisePlan) => SumEncoding,
  random?: () => SecureRandom,
): Mutant {
  return async (rows, plan) => {
    const step = clippedStep((batch) => canaryModel(batch, CANARIES), { batch: 128 });
    const sites = await Promise.all(
      rows.map((each) =>
        openPrivateTraining(step, {
          backend: nativeBackend,
          rows: each,
          mask: 'mask',
          sampling: { kind: 'all' },
          norm: AUDIT_NORM,
        }),
      ),
    );
    const used = encoding(plan);
    const more = random === undefined ? {} : { random: random() };
    return {
      async release(parameters) {
        const sum = new Uint32Array(residueCount(used));
        for (const site of sites) {
          const { update } = await site.localUpdate(parameters);
          addResidues(sum, encodeUpdate({ numbers: update }, used, more), used);
        }
        return decodeSum(sum, used, sites.length).sum;
      },
      close: async () => void (await Promise.all(sites.map((site) => site.close()))),
    };
  };
}

/** The mean of a site's rows is clipped, and taken times their number. */
const meanClipped: Mutant = async (rows, { encoding }) => {
  const most = Math.max(...rows.map(({ count }) => count));
  const graded = canaryModel(most, CANARIES);
  const step = gradientStep(graded.model, { ...graded, optimiser: sgd() });
  const graph = await nativeBackend.open(step.gradient);
  return {
    async release(parameters) {
      const sum = new Uint32Array(residueCount(encoding));
      for (const { count, tensors } of rows) {
        const x = new Float32Array(most * CANARIES);
        x.set(values(tensors.get('x')!) as Float32Array);
        const label = new Float32Array(most).fill(1);
        const mask = new Float32Array(most).fill(1, 0, count);
        const float = (shape: number[], { buffer }: Float32Array) =>
          ({ type: 'float32', shape, bytes: new Uint8Array(buffer as ArrayBuffer) }) as const;
        const found = await graph.run(
          new Map([
            ['x', float([most, CANARIES], x)],
            ['label', float([most, 1], label)],
            ['mask', float([most], mask)],
            ['w', float([CANARIES, 1], parameters.slice())],
          ]),
        );
        const mean = (values(found.get('grad:w')!) as Float32Array).map((each) => each / count);
        const factor = AUDIT_NORM / Math.max(Math.hypot(...mean), AUDIT_NORM);
        const numbers = mean.map((each) => -each * factor * count);
        addResidues(sum, encodeUpdate({ numbers }, encoding), encoding);
      }
      return decodeSum(sum, encoding, rows.length).sum;
    },
    close: () => graph.close(),
  };
};

const withVariance = (plan: NoisePlan, factor: number): SumEncoding => ({
  ...plan.encoding,
  noise: { shares: 4, variance: Math.ceil(plan.encoding.noise!.variance * factor) },
});

it('finds nothing in the training as it is, and comes close to what it spends', async () => {
  const report = await audited();
  expect(report.findings).toEqual([]);
  expect(report.verdict).toBe('holds');
  expect(report.lira.epsilon).toBeGreaterThan(report.claimed / 10);
  expect(report.lira.epsilon).toBeLessThan(report.claimed);
});

const withoutNoise = encodedAs(({ encoding: { length, sites, bits, range } }) => ({
  length,
  sites,
  bits,
  range,
}));

it('one run rules out what a training without noise claims', async () => {
  const { oneRun, claimed } = await audited(withoutNoise, { guesses: 0.9, confidence: 0.95 });
  expect(oneRun.right).toBe(oneRun.made);
  expect(oneRun.epsilon).toBeGreaterThan(claimed);
});

it.each([
  ['no noise', withoutNoise, 'LiRA'],
  ['half of the noise', encodedAs((plan) => withVariance(plan, 1 / 4)), 'LiRA'],
  ['a mean that is clipped in place of each example', meanClipped, 'LiRA'],
  [
    'noise from a seed',
    encodedAs(
      ({ encoding }) => encoding,
      () => {
        let state = 1;
        return secureRandom((into) => {
          for (let i = 0; i < into.length; i++) {
            state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
            into[i] = state >>> 24;
          }
        });
      },
    ),
    'can be computed again',
  ],
])('flags %s', async (_, mutant, finding) => {
  const report = await audited(mutant);
  expect(report.verdict).toBe('violated');
  expect(report.findings.join(' ')).toContain(finding);
});

describe('bounds', () => {
  const bounds = { delta: 0, confidence: 0.95 };
  it('of one run: guesses that are all right rule out what would allow a mistake', () => {
    // q^100 = 0.05 at q = 0.970487, whose odds are e^3.493.
    expect(oneRunEpsilon({ made: 100, right: 100 }, 100, bounds)).toBeCloseTo(3.493, 2);
    expect(oneRunEpsilon({ made: 100, right: 50 }, 100, bounds)).toBe(0);
  });

  it('of one run: a delta leaves less to be ruled out', () => {
    const strict = oneRunEpsilon({ made: 100, right: 95 }, 1000, bounds);
    const loose = oneRunEpsilon({ made: 100, right: 95 }, 1000, { ...bounds, delta: 1e-4 });
    expect(loose).toBeLessThan(strict);
    expect(loose).toBeGreaterThan(strict / 2);
  });

  it('of a Gaussian: the rates of μ = 1 give at most its epsilon', () => {
    // Φ(−½) = 0.3085 on both sides.
    const rate = { made: 100_000, right: 30_854 };
    const found = gaussianEpsilon(rate, rate, { delta: 1e-5, confidence: 0.95 });
    // The exact ε of noise 1 at δ = 1e-5 is 4.377.
    expect(found).toBeGreaterThan(4.2);
    expect(found).toBeLessThan(4.377);
  });
});

it('refuses too few canaries', async () => {
  await expect(audit(privateTrainingTarget({ ...options, canaries: 50 }))).rejects.toThrow(
    '50 canaries',
  );
});
