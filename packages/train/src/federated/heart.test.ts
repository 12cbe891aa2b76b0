/** Strategies on the heart data of four hospitals, against PyTorch's numbers and a closed optimum. */
import { afterAll, describe, expect, it } from 'vitest';
import { sgd } from '../optimisers/sgd.ts';
import { nativeBackend } from '../run/native-backend.ts';
import {
  HOSPITALS,
  heartAccuracy,
  heartDataset,
  heartFixture,
  heartModel,
  heartRows,
  noHeartData,
  normalised,
  pooledRows,
  probabilities,
  type HeartRows,
} from '../testing/heart.ts';
import {
  federatedModel,
  openLocalTraining,
  type LocalTraining,
} from './training/local-training.ts';
import { strategyOf } from './strategies/strategies.ts';
import type { StrategyName, StrategyOptions } from './strategies/strategy.ts';
import { decodeSum, encodeUpdate, addResidues } from './encoding/sum-encoding.ts';

const BATCH = 4;
const STEPS = 100;

interface Hospital {
  readonly train: HeartRows;
  readonly test: HeartRows;
}

describe.skipIf(noHeartData !== undefined)('four hospitals', () => {
  // The body of a suite runs also when its tests are skipped.
  const hasData = noHeartData === undefined;
  const fixture = hasData ? heartFixture() : undefined!;
  const hospitals: readonly Hospital[] = (hasData ? HOSPITALS : []).map((name) => {
    const { train, test } = heartRows(name, fixture);
    return { train: normalised(train, train), test: normalised(train, test) };
  });
  const initial = Float32Array.from(hasData ? [...fixture.init_w, ...fixture.init_b] : []);
  const opened: LocalTraining[] = [];
  afterAll(() => Promise.all(opened.map((site) => site.close())));

  async function sitesOf(name: StrategyName, options: StrategyOptions, learningRate: number) {
    const strategy = strategyOf(name, options);
    const model = federatedModel(heartModel(BATCH), strategy.site);
    const sites = await Promise.all(
      hospitals.map(({ train }, i) =>
        openLocalTraining(model, strategy.site, {
          backend: nativeBackend,
          rows: heartDataset(train),
          batch: BATCH,
          mask: 'mask',
          learningRate,
          steps: STEPS,
          seed: i,
        }),
      ),
    );
    opened.push(...sites);
    return { strategy, sites };
  }

  it.each([
    ['plain sums', undefined],
    [
      'sums of 16-bit residues',
      { length: 14, sites: 4, bits: 16, range: 0.05, weight: { most: 255 } },
    ],
  ] as const)('average to the weights of PyTorch: %s', async (_, encoding) => {
    const { strategy, sites } = await sitesOf('fedavg', {}, 0.001);
    let state = strategy.initial(initial);
    for (let round = 0; round < 15; round++) {
      const broadcast = strategy.broadcast(state);
      const sum = new Float64Array(14);
      const residues = new Uint32Array(15);
      let total = 0;
      for (const [k, site] of sites.entries()) {
        const batches = fixture.fedavg_batches[k]!.slice(round * STEPS, (round + 1) * STEPS);
        const { update, weight } = await site.localUpdate(broadcast, { number: round }, batches);
        if (encoding !== undefined) {
          addResidues(residues, encodeUpdate({ numbers: update, weight }, encoding), encoding);
        }
        update.forEach((value, i) => (sum[i] = sum[i]! + weight * value));
        total += weight;
      }
      const decoded = encoding === undefined ? undefined : decodeSum(residues, encoding, 4);
      if (decoded !== undefined) expect(decoded.weight).toBe(total);
      state = strategy.apply(state, decoded?.sum ?? sum, total);
    }
    const wanted = [...fixture.fedavg_final_w, ...fixture.fedavg_final_b];
    // 15 rounds of rounding to levels of 1.5e-6.
    const digits = encoding === undefined ? 5 : 4;
    wanted.forEach((w, i) => expect(state.parameters[i]).toBeCloseTo(w, digits));
    if (encoding !== undefined) return;
    const found = hospitals.map(({ test }) => heartAccuracy(state.parameters, test));
    expect(found).toEqual(fixture.fedavg_acc.slice(0, 4));
    // FLamby scales the pooled rows by the scale of all training rows.
    const raw = HOSPITALS.map((name) => heartRows(name, fixture));
    const pooled = normalised(
      pooledRows(raw.map(({ train }) => train)),
      pooledRows(raw.map(({ test }) => test)),
    );
    expect(heartAccuracy(state.parameters, pooled)).toBe(fixture.fedavg_acc[4]);
  });

  it.each([
    [0, 0.4866929173],
    [0.01, 0.494444431],
  ])('reach the optimum of all rows with a penalty of %s', async (penalty, optimum) => {
    const strategy = strategyOf('fedavg');
    const most = Math.max(...hospitals.map(({ train }) => train.x.length));
    const optimiser = sgd({ weightDecay: penalty });
    const model = federatedModel(heartModel(most), strategy.site, optimiser);
    const sites = await Promise.all(
      hospitals.map(({ train }) =>
        openLocalTraining(model, strategy.site, {
          backend: nativeBackend,
          rows: heartDataset(train),
          batch: most,
          mask: 'mask',
          learningRate: 1,
          seed: 0,
        }),
      ),
    );
    opened.push(...sites);
    let state = strategy.initial(initial);
    for (let round = 0; round < 600; round++) {
      const sum = new Float64Array(14);
      let total = 0;
      for (const site of sites) {
        const done = await site.localUpdate(strategy.broadcast(state), { number: round });
        done.update.forEach((value, i) => (sum[i] = sum[i]! + done.weight * value));
        total += done.weight;
      }
      state = strategy.apply(state, sum, total);
    }
    // PyTorch rounds the scales to float32 on the way, which moves the optimum by 2e-9.
    expect(objective(state.parameters, penalty)).toBeCloseTo(optimum, 8);
  });

  /** Mean binary cross-entropy of all training rows plus λ/2 · ‖[w, b]‖². */
  function objective(vector: Float32Array, penalty: number): number {
    const terms = hospitals.flatMap(({ train }) =>
      probabilities(vector, train).map((p, i) => -Math.log(train.y[i] === 1 ? p : 1 - p)),
    );
    const mean = terms.reduce((sum, term) => sum + term, 0) / terms.length;
    return mean + (penalty / 2) * vector.reduce((sum, w) => sum + w * w, 0);
  }
});
