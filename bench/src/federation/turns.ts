/**
 * `npm run bench -- federation`, a full run: details without a target.
 *
 * What turns with correlated noise (DP-FTRL) cost in accuracy, beside other ways to spend the same budget: all rows or
 * sites in every round, a Poisson sample of them, and turns whose noise is independent. The noise is that of a committee
 * of three, two of which may be against the others, as a plan has it by default.
 */
import { existsSync } from 'node:fs';
import { mlp, withLoss } from '@skein/onnx';
import { correlatedNoise, noiseFor, secureRandom, type Mechanism } from '@skein/train';
import {
  equalSites,
  federatedModel,
  levelWidth,
  noisePlan,
  openLocalTraining,
  poissonSample,
  strategyOf,
  tensorsOf,
  type SumEncoding,
} from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';
import { FEATURES, heartAccuracy, noHeartData } from '../../../packages/train/src/testing/heart.ts';
import { DENOMINATOR, openHeartSites } from '../../../packages/train/src/testing/private-heart.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { accuracy, pictures, PICTURES } from './simulation.ts';

/** How a budget is spent. `turns`: rounds until a row, or a site, is in a sum again. */
interface Spending {
  readonly kind: 'all' | 'poisson' | 'turns' | 'turns, independent noise';
  readonly rounds: number;
  /** 1 with all. */
  readonly turns: number;
}

interface Budget {
  readonly epsilon: number;
  readonly delta: number;
}

const HELPERS = 3;
const random = secureRandom();

/** What a plan with a committee does in its rounds. */
function rounds(
  { kind, rounds: steps, turns }: Spending,
  budget: Budget,
  encoding: SumEncoding,
  norm: number,
) {
  const mechanism = (noise: number): Mechanism =>
    kind === 'all' || kind === 'poisson'
      ? {
          kind: 'discrete',
          noise,
          steps,
          sampling: kind === 'all' ? { kind } : { kind, rate: 1 / turns },
        }
      : // Independent noise hides a row in each of its turns, so that turns are the same releases of a Gaussian.
        { kind: 'banded', noise, bands: turns, steps };
  const noise = noiseFor(budget, (each) => [mechanism(each)]);
  const shares = { shares: HELPERS, colluding: HELPERS - 1 };
  const { shareDeviation } = noisePlan({ encoding, norm, noise, ...shares });
  const correlated = correlatedNoise({
    bands: kind === 'turns' ? turns : 1,
    length: encoding.length,
    deviation: shareDeviation * levelWidth(encoding) * Math.sqrt(HELPERS),
    random: () => random,
  });
  return {
    noise,
    noiseOf: (round: number) => correlated.of(round),
    /** Which of so many are in the sum of a round. */
    chosen(round: number, count: number): Uint32Array {
      if (kind === 'poisson') return poissonSample(count, 1 / turns, random);
      const every = Uint32Array.from({ length: count }, (_, i) => i);
      return kind === 'all' ? every : every.filter((i) => i % turns === round % turns);
    },
  };
}

/** Patients: DP-FedSGD of a logistic regression. @returns the pooled accuracy of each run. */
async function heartRuns(spending: Spending, budget: Budget, runs: number, rate = 1) {
  const { sites, test, close } = await openHeartSites();
  const length = FEATURES + 1;
  const encoding = { length, sites: sites.length, bits: 16, range: 200 } as const;
  const strategy = strategyOf('fedavg', {
    serverRate: rate,
    denominator: DENOMINATOR / spending.turns,
  });
  const found: number[] = [];
  let noise = 0;
  for (let run = 0; run < runs; run++) {
    const plan = rounds(spending, budget, encoding, 1);
    noise = plan.noise;
    let state = strategy.initial(new Float32Array(length));
    for (let round = 0; round < spending.rounds; round++) {
      const sum = plan.noiseOf(round);
      for (const { count, training } of sites) {
        const { update } = await training.localUpdate(state.parameters, plan.chosen(round, count));
        update.forEach((each, i) => (sum[i] = sum[i]! + each));
      }
      state = strategy.apply(state, sum, 1);
    }
    found.push(heartAccuracy(state.parameters, test));
  }
  await close();
  return { noise, found };
}

const SITES = 1000;
const BATCH = 10;
const SIZES = [784, 10] as const;

interface PictureOptions {
  readonly clip: number;
  readonly rate: number;
  readonly runs: number;
  /** Seed of the split of the first run. */
  readonly first?: number;
}

/** A thousand sites of 60 pictures each, all of which are to be hidden: DP-FedAvg of a softmax regression. */
async function pictureRuns(spending: Spending, budget: Budget, options: PictureOptions) {
  const { clip, rate, runs, first = 0 } = options;
  const [rows, test] = [await pictures('train'), await pictures('t10k')];
  const { site } = strategyOf('fedavg');
  const graded = withLoss(mlp({ sizes: [...SIZES], seed: 1, batch: BATCH }), {
    loss: { kind: 'cross-entropy' },
    target: 'labels',
    weights: 'sample',
    weightName: 'mask',
  });
  const model = federatedModel(graded, site);
  const { length } = model.initial;
  const encoding = { length, sites: SITES, bits: 16, range: clip } as const;
  const trained = { backend: nativeBackend, rows, batch: BATCH, mask: 'mask', learningRate: 0.1 };
  const training = await openLocalTraining(model, site, { ...trained, seed: 1 });
  const strategy = strategyOf('fedavg', { serverRate: rate, denominator: SITES / spending.turns });
  const found: number[] = [];
  let noise = 0;
  for (let run = 0; run < runs; run++) {
    const sites = equalSites(rows.count, SITES, first + run);
    const plan = rounds(spending, budget, encoding, clip);
    noise = plan.noise;
    let state = strategy.initial(model.initial);
    for (let round = 0; round < spending.rounds; round++) {
      const sum = plan.noiseOf(round);
      for (const each of plan.chosen(round, SITES)) {
        const own = sites[each]!;
        const batches = Array.from({ length: own.length / BATCH }, (_, i) =>
          own.subarray(i * BATCH, (i + 1) * BATCH),
        );
        const { update } = await training.localUpdate(state.parameters, { number: round }, batches);
        const norm = Math.hypot(...update);
        const factor = Math.min(1, clip / norm);
        for (let i = 0; i < length; i++) sum[i] = sum[i]! + factor * update[i]!;
      }
      state = strategy.apply(state, sum, 1);
    }
    found.push(await accuracy(tensorsOf(model.layout, state.parameters), test, SIZES));
  }
  await training.close();
  return { noise, found };
}

const WAYS = ['all', 'poisson', 'turns', 'turns, independent noise'] as const;
const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, each) => sum + each, 0) / numbers.length;

/** Runs of the pictures; docs/decisions/0031 has those of thirty. */
const RUNS = { heart: 30, pictures: 2 };

export const TURNS: RowGroup = {
  measures: [],
  async measure({ quick, progress }) {
    const found: Record<string, number> = {};
    for (const kind of quick ? [] : WAYS) {
      progress(`private training: ${kind}`);
      const turns = kind === 'all' ? 1 : 5;
      if (noHeartData === undefined) {
        const spending = { kind, rounds: 30, turns };
        const runs = await heartRuns(spending, { epsilon: 1, delta: 1e-3 }, RUNS.heart);
        found[`heart, ${kind}`] = mean(runs.found);
      }
      if (existsSync(PICTURES)) {
        // As many pictures are computed as in the other ways.
        const spending =
          kind === 'all' ? { kind, rounds: 10, turns: 1 } : { kind, rounds: 100, turns: 10 };
        const budget = { epsilon: 8, delta: 1e-4 };
        const runs = await pictureRuns(spending, budget, {
          clip: 0.5,
          rate: 2,
          runs: RUNS.pictures,
        });
        found[`pictures, ${kind}`] = mean(runs.found);
      }
    }
    return { results: {}, details: { turns: found } };
  },
};
