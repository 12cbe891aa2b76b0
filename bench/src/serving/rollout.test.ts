import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { testFolder } from '../../../scripts/testing/folder.ts';
import { bareSession } from './added-latency.ts';
import { mlpModel, recogniserModel, type BenchModel } from './models.ts';
import { otherVersion } from './rollout.ts';

const MODELS: Record<string, (folder: string) => BenchModel> = {
  'the perceptron': (folder) => mlpModel(folder, 1),
  'the recogniser': recogniserModel,
};

it.each(Object.entries(MODELS))('swaps %s to one that answers differently', async (_name, make) => {
  const folder = testFolder();
  const model = make(folder);
  const path = join(folder, 'other.onnx');
  writeFileSync(path, otherVersion(model));
  const answers: number[][] = [];
  for (const each of [model.path, path]) {
    const session = await bareSession({ ...model, path: each });
    const outputs = await session.run({
      [model.input]: new Tensor('float32', model.row, model.shape),
    });
    answers.push(Array.from(Object.values(outputs)[0]!.data as Float32Array));
    await session.release();
  }
  expect(answers[0]!.length).toBeGreaterThan(9);
  expect(answers[1]).toHaveLength(answers[0]!.length);
  expect(answers[1]).not.toEqual(answers[0]);
});
