/** Estimators that scikit-learn trains and predicts with, converted and run: for the tests and `npm run bench -- door`. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ortSession, OrtTensor } from '../../testing/ort.ts';
import { writeModel } from '../../model/model.ts';
import { values, type TensorMap } from '../../tensor/tensor.ts';
import { difference, type Difference, type OutputValues } from '../difference.ts';
import { convertSklearn, type ConvertedEstimator } from '../sklearn/sklearn.ts';
import { PYTHON } from './conversion-cases.ts';

export interface EstimatorCase {
  readonly name: string;
  /** Documents of the estimator: with rows around its thresholds, and with rows of its training. */
  readonly documents: { readonly drawn: string; readonly given: string };
}

/** Trains the models of `sklearn_models.py` into a folder. */
export function trainEstimators(folder: string): EstimatorCase[] {
  execFileSync(PYTHON, ['-B', join(import.meta.dirname, 'sklearn_models.py'), folder], {
    env: { ...process.env, OMP_NUM_THREADS: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const names = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as string[];
  return names.map((name) => ({
    name,
    documents: { drawn: join(folder, name, 'drawn'), given: join(folder, name, 'given') },
  }));
}

/** The difference of the graph from the predictions of scikit-learn for the rows of the document. */
export async function compareEstimator(path: string): Promise<{
  readonly converted: ConvertedEstimator;
  readonly differs: Difference;
}> {
  const converted = convertSklearn(readFileSync(path));
  const found = await runRows(converted, converted.rows);
  return { converted, differs: difference(converted.expected, found) };
}

export async function runRows(
  { model }: Pick<ConvertedEstimator, 'model'>,
  rows: TensorMap,
): Promise<ReadonlyMap<string, OutputValues>> {
  const session = await ortSession(writeModel(model));
  const feeds = [...rows].map(([name, each]): [string, OrtTensor] => [
    name,
    each.type === 'string'
      ? new OrtTensor(
          'string',
          each.elements.map((text) => Buffer.from(text).toString()),
          each.shape,
        )
      : new OrtTensor('float32', values(each) as Float32Array, each.shape),
  ]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return new Map(
    Object.entries(results).map(([name, { data }]) => [name, data as Float32Array | string[]]),
  );
}
