/**
 * DP-FedSGD over four hospitals with ε ≤ 1: per-example clipping, 16-bit residues, and a share of the
 * discrete noise at each site. Residues are added in the open, or by rounds of pairwise masks. Ranges of the features are public; FLamby's published FedAvg, .748, is neither private
 * nor scaled so.
 */
import { noisePlan } from '../federated/encoding/noise-plan.ts';
import {
  addResidues,
  decodeSum,
  encodeUpdate,
  residueBits,
  type SumEncoding,
} from '../federated/encoding/sum-encoding.ts';
import { strategyOf } from '../federated/strategies/strategies.ts';
import { openPrivateTraining } from '../federated/training/private-training.ts';
import { auc } from '../metrics/classification.ts';
import { epsilonOf } from '../privacy/accountant.ts';
import { clippedStep } from '../privacy/clipped-step.ts';
import { nativeBackend } from '../run/native-backend.ts';
import { federation, runUntil, stage, sumOf } from '../secure-aggregation/testing/rounds.ts';
import {
  FEATURES,
  heartAccuracy,
  heartDataset,
  heartFixture,
  heartModel,
  heartRows,
  HOSPITALS,
  pooledRows,
  probabilities,
  publiclyScaled,
} from './heart.ts';

const NUMBERS = FEATURES + 1;
const ROUNDS = 30;
/** Public: the rows that the four sites have agreed on before the run. */
export const DENOMINATOR = 486;
export const DELTA = 1e-3;

/** Opens a training at each hospital. */
export async function openHeartSites() {
  const fixture = heartFixture();
  const hospitals = HOSPITALS.map((name) => heartRows(name, fixture));
  const step = clippedStep(heartModel, { batch: 64 });
  const open = async ({ train }: (typeof hospitals)[number]) => ({
    count: train.y.length,
    training: await openPrivateTraining(step, {
      backend: nativeBackend,
      rows: heartDataset(publiclyScaled(train)),
      mask: 'mask',
      sampling: { kind: 'all' },
      norm: 1,
    }),
  });
  const sites = await Promise.all(hospitals.map(open));
  return {
    sites,
    /** Test rows of all of them. */
    test: pooledRows(hospitals.map((each) => publiclyScaled(each.test))),
    close: () => Promise.all(sites.map(({ training }) => training.close())),
  };
}

/** Sums the encoded updates of all sites. */
export type SumOfResidues = (
  updates: readonly Uint32Array[],
  encoding: SumEncoding,
) => Promise<Uint32Array>;

/** Sum after unmasking, to the bit. */
const addedInTheOpen: SumOfResidues = async (updates, encoding) => {
  const sum = new Uint32Array(NUMBERS);
  for (const update of updates) addResidues(sum, update, encoding);
  return sum;
};

/** Rounds of protocol A: four sites, and a server that sees masked updates alone. */
export async function maskedSums(): Promise<SumOfResidues> {
  const sites = await federation(HOSPITALS.length);
  let round = 0;
  return async (inputs, encoding) => {
    const terms = { length: NUMBERS, bits: residueBits(encoding), round: round++ };
    const at = await stage({ ...sites, context: { ...sites.context, ...terms } });
    const given = { ...at, inputs };
    await runUntil(given, 'sum');
    const { sum, survivors } = await sumOf(given);
    if (survivors.length < inputs.length) throw new Error('A site has dropped out.');
    return sum;
  };
}

/** @returns what a run spends, and the pooled accuracy and area under the ROC curve of each. */
export async function privateHeartRuns(runs: number, summed: SumOfResidues = addedInTheOpen) {
  const { encoding, noise } = noisePlan({
    encoding: { length: NUMBERS, sites: HOSPITALS.length, bits: 16, range: 200 },
    norm: 1,
    noise: 20,
    shares: 3,
    colluding: 1,
    mostShares: HOSPITALS.length,
  });
  const sampling = { kind: 'all' } as const;
  const { epsilon } = epsilonOf([{ kind: 'discrete', noise, steps: ROUNDS, sampling }], DELTA);
  const { sites, test, close } = await openHeartSites();
  const strategy = strategyOf('fedavg', { serverRate: 1, denominator: DENOMINATOR });
  const accuracies: number[] = [];
  const areas: number[] = [];
  for (let run = 0; run < runs; run++) {
    let state = strategy.initial(new Float32Array(NUMBERS));
    for (let round = 0; round < ROUNDS; round++) {
      const updates: Uint32Array[] = [];
      for (const { training } of sites) {
        const { update } = await training.localUpdate(state.parameters);
        updates.push(encodeUpdate({ numbers: update }, encoding));
      }
      const sum = await summed(updates, encoding);
      state = strategy.apply(state, decodeSum(sum, encoding, sites.length).sum, 1);
    }
    accuracies.push(heartAccuracy(state.parameters, test));
    areas.push(auc(test.y, probabilities(state.parameters, test)));
  }
  await close();
  return { epsilon, accuracies, areas };
}

export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}
