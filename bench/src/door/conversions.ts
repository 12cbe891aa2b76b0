/** The share of converted models that predict as the program that trained them. */
import { join } from 'node:path';
import { agrees } from '@skein/onnx/convert';
import {
  compareCase,
  trainXgboostModels,
} from '../../../packages/onnx/src/convert/testing/conversion-cases.ts';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';

export const conversions: RowGroup = {
  measures: [
    {
      key: 'convert_ok',
      what: 'models of XGBoost converted whose outputs agree to 1e-5, labels equal; share',
      unit: '',
      target: { atLeast: 0.95 },
    },
  ],
  async measure({ progress }) {
    progress('training and converting models of XGBoost');
    const folder = await temporaryFolder();
    try {
      const cases = trainXgboostModels(join(folder.path, 'xgboost'));
      const failed: string[] = [];
      for (const each of cases) {
        const isEqual = await compareCase(each).then(
          ({ graph }) => agrees(graph),
          () => false,
        );
        if (!isEqual) failed.push(each.name);
      }
      return {
        results: { convert_ok: 1 - failed.length / cases.length },
        details: { conversions: { models: cases.length, failed } },
      };
    } finally {
      await folder.remove();
    }
  },
};
