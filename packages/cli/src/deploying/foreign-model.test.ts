import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '@skein/onnx';
import { lightgbmText } from '../../../onnx/src/convert/testing/lightgbm-text.ts';
import {
  jsonBytes,
  smallXgboost,
  ubjsonBytes,
} from '../../../onnx/src/convert/testing/small-xgboost.ts';
import { startNodeProcess, type NodeProcess } from '../../../server/src/testing/node-process.ts';
import type { Deployed } from './deploying.ts';

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess();
});
afterAll(() => node.stop());

const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(node.folder, name), content);
  return name;
};

describe('skein deploy of a file of XGBoost or LightGBM', () => {
  it('recognises it by its content, compares it, and serves it', async () => {
    const file = write('Risk.model', ubjsonBytes(smallXgboost()));
    const { code, stdout } = await node.run('deploy', file);
    expect([code, stdout]).toEqual([0, expect.stringContaining('risk.model v1 is served')]);
    expect(stdout).toMatch(/converted +XGBoost 3\.0\.0, reg:squarederror, 2 trees, 3 features\n/);
    expect(stdout).toMatch(
      /compared +with the file on 1000 rows: largest difference 0, allowed 0\.00001\n/,
    );
    const answer = await fetch(`${node.url}/v2/models/risk.model/infer`, {
      method: 'POST',
      body: JSON.stringify({
        inputs: [{ name: 'x', datatype: 'FP32', shape: [2, 3], data: [0, 0, 0, 1, -2, 5] }],
      }),
    });
    const { outputs } = (await answer.json()) as { outputs: object[] };
    expect(outputs).toEqual([
      expect.objectContaining({ name: 'prediction', shape: [2, 1], data: [0.25, 3.75] }),
    ]);
  });

  it('compares it with the predictions of its user, with columns in any order', async () => {
    const file = write('risk.json', jsonBytes(smallXgboost()));
    write('rows.csv', 'prediction,city,income,age\n0.25,0,0,0\n3.75,5,-2,1\n4.25,1,,1\n');
    const deployed = await node.json<Deployed>('deploy', file, '--rows', 'rows.csv', '--json');
    expect(deployed.conversion).toEqual({
      source: 'XGBoost 3.0.0',
      objective: 'reg:squarederror',
      trees: 2,
      features: 3,
      notes: [],
      compared: { rows: 3, with: 'file', largestDifference: 0, tolerance: 1e-5 },
    });
    expect(deployed.version.metadata).toMatchObject({ source: 'XGBoost 3.0.0' });
  });

  it('takes a text of LightGBM', async () => {
    const text = lightgbmText(
      { objective: 'multiclass num_class:3', outputs: 3, features: 4, rounds: 5, leaves: 8 },
      seededRandom(1),
    );
    const { code, stdout } = await node.run('deploy', write('Iris.txt', text));
    expect([code, stdout]).toEqual([0, expect.stringContaining('iris v1 is served')]);
    expect(stdout).toMatch(
      /converted +LightGBM v4, multiclass num_class:3, 15 trees, 4 features\n/,
    );
    expect(stdout).toMatch(/outputs +label int64\[batch\], probabilities float32\[batch, 3\]/);
  });

  it('deploys nothing when the predictions differ', async () => {
    const file = write('other.json', jsonBytes(smallXgboost()));
    write('wrong.csv', 'age,income,city,prediction\n0,0,0,0.26\n');
    const { code, stderr } = await node.run('deploy', file, '--rows', 'wrong.csv');
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /differs from the predictions in ".*wrong\.csv": numbers by up to 0\.01/,
      ),
    ]);
    await expect(node.client.getDeployment({ name: 'other' })).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    });
  });

  it('refuses a damaged file, rows that do not fit, and rows for another kind of file', async () => {
    const broken = write('cut.ubj', ubjsonBytes(smallXgboost()).subarray(0, 500));
    const file = write('third.json', jsonBytes(smallXgboost()));
    write('few.csv', 'age,income\n1,2\n');
    write('texts.csv', 'age,income,city\n1,2,Oslo\n');
    for (const [words, message] of [
      [[broken], /"cut\.ubj": The file is truncated after 500 bytes/],
      [[file, '--rows', 'few.csv'], /few\.csv" has no column "city"/],
      [[file, '--rows', 'texts.csv'], /column "city" holds texts/],
      [
        [write('a.ts', 'export {}'), '--rows', 'few.csv'],
        /--rows is for models that are converted/,
      ],
    ] as const) {
      const { code, stderr } = await node.run('deploy', ...words);
      expect([words, code, stderr]).toEqual([
        words,
        expect.toBeOneOf([1, 2]),
        expect.stringMatching(message),
      ]);
    }
  });
});
