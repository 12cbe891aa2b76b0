/**
 * Strategies against the accuracies that FLamby published for Fed-Heart-Disease, the mean of five
 * seeds each, from PyTorch's first weights; the order of the rows is our own.
 */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { nativeBackend } from '../run/native-backend.ts';
import {
  heartAccuracy,
  heartDataset,
  heartFixture,
  heartModel,
  heartRows,
  HOSPITALS,
  noHeartData,
  normalised,
  pooledRows,
} from '../testing/heart.ts';
import {
  federatedModel,
  openLocalTraining,
  type LocalTraining,
} from './training/local-training.ts';
import { strategyOf } from './strategies/strategies.ts';
import type { Strategy } from './strategies/strategy.ts';

const SEEDS = [42, 43, 44, 45, 46];
const isFull = process.env['SKEIN_FULL'] === '1' && noHeartData === undefined;
const linear = JSON.parse(
  readFileSync(new URL('fixtures/linear-init.json', import.meta.url), 'utf8'),
) as { readonly first: Readonly<Record<number, readonly number[]>> };
const adaptive = { beta2: 0.999, tau: 1e-8 };

describe.skipIf(!isFull)('published accuracies of Fed-Heart-Disease', () => {
  const fixture = isFull ? heartFixture() : undefined!;
  const hospitals = isFull ? HOSPITALS.map((name) => heartRows(name, fixture)) : [];
  const pooled = isFull
    ? normalised(
        pooledRows(hospitals.map(({ train }) => train)),
        pooledRows(hospitals.map(({ test }) => test)),
      )
    : undefined!;
  const opened: LocalTraining[] = [];
  afterAll(() => Promise.all(opened.map((site) => site.close())));

  async function sitesOf(strategy: Strategy, learningRate: number) {
    const model = federatedModel(heartModel(4), strategy.site);
    const sites = await Promise.all(
      hospitals.map(({ train }, seed) =>
        openLocalTraining(model, strategy.site, {
          backend: nativeBackend,
          rows: heartDataset(normalised(train, train)),
          batch: 4,
          mask: 'mask',
          learningRate,
          steps: 100,
          seed,
        }),
      ),
    );
    opened.push(...sites);
    return sites;
  }

  /** Mean accuracy on the pooled test rows. @param rounds of a seed, each with the sites that take part. */
  async function accuracyOf(
    strategy: Strategy,
    sites: readonly LocalTraining[],
    rounds: (seed: number) => readonly (readonly number[])[],
  ): Promise<number> {
    let accuracy = 0;
    for (const seed of SEEDS) {
      let state = strategy.initial(Float32Array.from(linear.first[seed]!));
      const memories: (Float32Array | undefined)[] = [];
      for (const [round, chosen] of rounds(seed).entries()) {
        const broadcast = strategy.broadcast(state);
        const sum = new Float64Array(broadcast.length);
        let total = 0;
        for (const k of chosen) {
          const number = round + 1000 * seed;
          const done = await sites[k]!.localUpdate(broadcast, { number, memory: memories[k] });
          memories[k] = done.memory;
          done.update.forEach((value, i) => (sum[i] = sum[i]! + done.weight * value));
          total += done.weight;
        }
        state = strategy.apply(state, sum, total);
      }
      accuracy += heartAccuracy(state.parameters, pooled) / SEEDS.length;
    }
    return accuracy;
  }

  it.each([
    ['fedavg', {}, 0.001, 0.748],
    ['fedprox', { proximal: 0.01 }, 0.001, 0.748],
    ['scaffold', {}, 0.001, 0.748],
    ['fedadam', { ...adaptive, serverRate: 0.01 }, 0.01, 0.7787],
    ['fedyogi', { ...adaptive, serverRate: 0.01 }, 0.003162, 0.7787],
    ['fedadagrad', { ...adaptive, serverRate: 0.316228 }, 0.003162, 0.7787],
  ] as const)(
    '%s',
    async (name, options, learningRate, published) => {
      const strategy = strategyOf(name, options);
      const sites = await sitesOf(strategy, learningRate);
      const all = sites.map((_, k) => k);
      const rounds = Array.from({ length: 15 }, () => all);
      const accuracy = await accuracyOf(strategy, sites, () => rounds);
      expect(Math.abs(accuracy - published)).toBeLessThan(0.01);
    },
    120_000,
  );
});
