/** The training of four hospitals with ε ≤ 1, as its test runs it. */
import { noHeartData } from '../../../packages/train/src/testing/heart.ts';
import {
  DELTA,
  mean,
  privateHeartRuns,
} from '../../../packages/train/src/testing/private-heart.ts';
import type { RowGroup } from '../harness/row-group.ts';

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
    const { epsilon, accuracies, areas } = await privateHeartRuns(runs);
    if (epsilon > 1) throw new Error(`the plan spends ${epsilon}`);
    return {
      results: { heart_dp_accuracy: mean(accuracies), heart_dp_auc: mean(areas) },
      details: { heart: { epsilon, delta: DELTA, runs, accuracies } },
    };
  },
};
