/** Every kind of XGBoost model against what XGBoost itself predicts with it. */
import { describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { checkModel } from '../../model/check.ts';
import { seededRandom } from '../../tensor/random.ts';
import { agrees, difference } from '../difference.ts';
import { compareCase, runGraph, trainXgboostModels } from '../testing/conversion-cases.ts';

const xgboost = requireComponent('python3-xgboost');
const cases = xgboost.skip ? [] : trainXgboostModels(testFolder());

describe.skipIf(xgboost.skip)('models of XGBoost', () => {
  it('are many kinds', () => expect(cases.length).toBeGreaterThan(60));

  it.each(cases)('predict as XGBoost does: $name', async (each) => {
    const { converted, graph, interpreted } = await compareCase(each);
    expect(() => checkModel(converted.model)).not.toThrow();
    expect([graph, agrees(graph)]).toEqual([graph, true]);
    expect([interpreted, agrees(interpreted)]).toEqual([interpreted, true]);
    const rows = converted.sampleRows(500, seededRandom(1));
    const drawn = difference(converted.predict(rows), await runGraph(converted, rows));
    expect([drawn, agrees(drawn)]).toEqual([drawn, true]);
  });
});
