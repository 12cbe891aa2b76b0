/** The share of converted models that predict as the program that trained them: XGBoost or scikit-learn. */
import { join } from 'node:path';
import { agrees } from '@skein/onnx/convert';
import {
  compareCase,
  trainXgboostModels,
} from '../../../packages/onnx/src/convert/testing/conversion-cases.ts';
import {
  compareEstimator,
  trainEstimators,
} from '../../../packages/onnx/src/convert/testing/estimator-cases.ts';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';

export const conversions: RowGroup = {
  measures: [
    {
      key: 'convert_ok',
      what: 'models of XGBoost and scikit-learn converted whose outputs agree to 1e-5, labels equal; share',
      unit: '',
      target: { atLeast: 0.95 },
    },
  ],
  async measure({ progress }) {
    progress('training and converting models of XGBoost and scikit-learn');
    const folder = await temporaryFolder();
    try {
      const cases = trainXgboostModels(join(folder.path, 'xgboost'));
      const estimators = trainEstimators(join(folder.path, 'sklearn'));
      const failed: string[] = [];
      for (const each of cases) {
        const isEqual = await compareCase(each).then(
          ({ graph }) => agrees(graph),
          () => false,
        );
        if (!isEqual) failed.push(each.name);
      }
      for (const { name, documents } of estimators) {
        const isEqual = await Promise.all(Object.values(documents).map(compareEstimator)).then(
          (compared) => compared.every(({ differs }) => agrees(differs)),
          () => false,
        );
        if (!isEqual) failed.push(`sklearn ${name}`);
      }
      const models = cases.length + estimators.length;
      return {
        results: { convert_ok: 1 - failed.length / models },
        details: { conversions: { models, failed } },
      };
    } finally {
      await folder.remove();
    }
  },
};
