/**
 * DP-FedSGD over four hospitals with ε ≤ 1: per-example clipping, 16-bit residues, and a share of the
 * discrete noise at each site. Residues are added in the open, which gives the sum that masks leave,
 * to the bit. Ranges of the features are public; FLamby's published FedAvg, .748, is neither private
 * nor scaled so.
 */
import { auc, clippedStep, epsilonOf } from '@skein/train';
import {
  addResidues,
  decodeSum,
  encodeUpdate,
  noisePlan,
  openPrivateTraining,
  strategyOf,
} from '@skein/train/federated';
import { nativeBackend } from '@skein/train/native';
import {
  FEATURES,
  heartAccuracy,
  heartDataset,
  heartFixture,
  heartModel,
  heartRows,
  HOSPITALS,
  noHeartData,
  pooledRows,
  probabilities,
  publiclyScaled,
} from '../../../packages/train/src/testing/heart.ts';
import type { RowGroup } from '../harness/row-group.ts';

const NUMBERS = FEATURES + 1;
const ROUNDS = 30;
const DELTA = 1e-3;
/** Public: the rows that the four sites have agreed on before the run. */
const DENOMINATOR = 486;

export const HEART: RowGroup = {
  measures: [
    {
      key: 'heart_dp_accuracy',
      what: 'heart disease, four hospitals, patient-level ε ≤ 1 at δ = 1e-3: pooled accuracy, mean of 30 runs',
      unit: '',
      target: { atLeast: 0.785 },
    },
    {
      key: 'heart_dp_auc',
      what: '… area under the ROC curve',
      unit: '',
      target: { atLeast: 0.87 },
    },
  ],
  async measure({ quick, progress }) {
    if (noHeartData !== undefined) {
      progress(`heart rows left out: ${noHeartData}`);
      return { results: {}, details: { heart: noHeartData } };
    }
    progress('private training of four hospitals');
    const runs = quick ? 10 : 30;
    const { encoding, noise } = noisePlan({
      encoding: { length: NUMBERS, sites: HOSPITALS.length, bits: 16, range: 200 },
      norm: 1,
      noise: 20,
      shares: 3,
      colluding: 1,
      mostShares: HOSPITALS.length,
    });
    const mechanism = {
      kind: 'discrete',
      noise,
      steps: ROUNDS,
      sampling: { kind: 'all' },
    } as const;
    const { epsilon } = epsilonOf([mechanism], DELTA);
    if (epsilon > 1) throw new Error(`the plan spends ${epsilon}`);
    const fixture = heartFixture();
    const hospitals = HOSPITALS.map((name) => heartRows(name, fixture));
    const test = pooledRows(hospitals.map((each) => publiclyScaled(each.test)));
    const step = clippedStep(heartModel, { batch: 64 });
    const sites = await Promise.all(
      hospitals.map(({ train }) =>
        openPrivateTraining(step, {
          backend: nativeBackend,
          rows: heartDataset(publiclyScaled(train)),
          mask: 'mask',
          sampling: { kind: 'all' },
          norm: 1,
        }),
      ),
    );
    const strategy = strategyOf('fedavg', { serverRate: 1, denominator: DENOMINATOR });
    const accuracies: number[] = [];
    const areas: number[] = [];
    for (let run = 0; run < runs; run++) {
      let state = strategy.initial(new Float32Array(NUMBERS));
      for (let round = 0; round < ROUNDS; round++) {
        const sum = new Uint32Array(NUMBERS);
        for (const site of sites) {
          const { update } = await site.localUpdate(state.parameters);
          addResidues(sum, encodeUpdate({ numbers: update }, encoding), encoding);
        }
        state = strategy.apply(state, decodeSum(sum, encoding, sites.length).sum, 1);
      }
      accuracies.push(heartAccuracy(state.parameters, test));
      areas.push(auc(test.y, probabilities(state.parameters, test)));
    }
    await Promise.all(sites.map((site) => site.close()));
    return {
      results: { heart_dp_accuracy: mean(accuracies), heart_dp_auc: mean(areas) },
      details: { heart: { epsilon, delta: DELTA, runs, accuracies } },
    };
  },
};

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}
