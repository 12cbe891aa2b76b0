/** The tasks of `skein train`: each kind, images, and a configuration file. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readModel, signatureOf } from '@skein/onnx';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trainingFolder, type Trained } from '../../train/testing/training-folder.ts';

const { folder, fill, json, failure, remove } = trainingFolder();
beforeAll(fill);
afterAll(remove);

describe('tasks', () => {
  it('a regression in the unit of its labels', async () => {
    const { run } = await json<Trained>(
      'train',
      '--model',
      'mlp:16',
      '--data',
      'points.csv',
      '--label',
      'sum',
      '--lr',
      '0.03',
      '--features',
      'a,b',
      '--epochs',
      '40',
      '--schedule',
      'cosine',
    );
    expect(run.task).toBe('regression');
    const { report } = run.result!;
    if (report?.kind !== 'regression') throw new Error('no regression');
    // The sum has a deviation of about 170.
    expect(report.rmse).toBeLessThan(20);
    expect(report.mae).toBeLessThanOrEqual(report.rmse);
    expect(report.r2).toBeGreaterThan(0.98);
  });

  it('a binary one, with one probability', async () => {
    const { run, model } = await json<Trained>(
      'train',
      '--model',
      'mlp:8',
      '--data',
      'points.csv',
      '--label',
      'side',
      '--lr',
      '0.03',
      '--task',
      'binary',
      '--features',
      'a,b,colour',
      '--epochs',
      '20',
    );
    expect(run.result?.report).toMatchObject({ classes: ['left', 'right'] });
    const { outputs } = signatureOf(readModel(await readFile(model)));
    expect(outputs).toEqual([{ name: 'probability', type: 'float32', shape: ['batch', 1] }]);
  });

  it('folders of images, by a network of convolutions', async () => {
    for (const [kind, rotate] of [
      ['rows', 0],
      ['columns', 90],
    ] as const) {
      await mkdir(join(folder, 'images', kind), { recursive: true });
      for (let i = 0; i < 12; i++) {
        const bytes = Buffer.from(
          Array.from({ length: 256 }, (_, at) => (Math.floor(at / 16 + i) % 4 < 2 ? 40 : 200)),
        );
        const raw = { width: 16, height: 16, channels: 1 } as const;
        await sharp(bytes, { raw })
          .rotate(rotate)
          .png()
          .toFile(join(folder, 'images', kind, `${i}.png`));
      }
    }
    const args = ['train', '--model', 'cnn:4', '--data', 'images', '--batch', '8'];
    const { run, model } = await json<Trained>(
      ...args,
      '--image-size',
      '16x16x1',
      '--epochs',
      '20',
      '--lr',
      '0.02',
    );
    expect(run.result?.report).toMatchObject({ classes: ['columns', 'rows'], accuracy: 1 });
    expect(signatureOf(readModel(await readFile(model))).inputs).toEqual([
      { name: 'pixels', type: 'uint8', shape: ['batch', 1, 16, 16] },
    ]);
    expect((await failure(...args)).error).toMatch(/leaves the size of its images open/);
  });

  it('a configuration file, with flags over it', async () => {
    await writeFile(join(folder, 'decay.ts'), 'export const decay = 0.1;');
    await writeFile(
      join(folder, 'train.config.ts'),
      `import { mlp } from '${join(import.meta.dirname, '../../../../onnx/src/index.ts')}';
       import { adamW, defineTraining } from '${join(import.meta.dirname, '../../../../train/src/index.ts')}';
       import { decay } from './decay.ts';
       export const training = defineTraining({
         model: ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, 8, outputs], seed }),
         data: 'points.csv', label: 'side', features: ['a', 'b'],
         optimiser: adamW({ weightDecay: decay }), loss: { kind: 'cross-entropy', labelSmoothing: 0.1 },
         rate: 0.02, epochs: 9, freeze: /layer0.bias/, name: 'configured',
       });`,
    );
    const { run } = await json<Trained>('train', '--config', 'train.config.ts', '--epochs', '3');
    expect(run).toMatchObject({ name: 'configured', status: 'finished' });
    expect(run.epochs).toHaveLength(3);
    expect(run.plan).toMatchObject({
      optimiser: 'adamw {"beta1":0.9,"beta2":0.999,"epsilon":1e-8,"weightDecay":0.1}',
      rate: 0.02,
      epochs: 3,
      freeze: 'layer0.bias',
      features: 'a,b',
    });
    expect(run.lineage.code.config).toMatch(/^[0-9a-f]{64}$/);
    // The imports of the file are not in its digest.
    await writeFile(join(folder, 'decay.ts'), 'export const decay = 0.5;');
    expect(await failure('train', '--resume', 'configured')).toMatchObject({
      code: 'RUN_CHANGED',
      error: expect.stringMatching(/with the optimiser adamw .*0\.1}, not adamw .*0\.5}\.$/),
    });
    const other = await json<Trained>('train', '--config', 'train.config.ts', '--epochs', '3');
    const compare = ['runs', 'compare', run.id, other.run.id];
    const { comparison } = await json<{ comparison: { differences: readonly object[] } }>(
      ...compare,
    );
    expect(comparison.differences).toHaveLength(1);
    await writeFile(join(folder, 'empty.config.ts'), 'export const other = 1;');
    expect((await failure('train', '--config', 'empty.config.ts')).error).toMatch(
      /exports no "training"/,
    );
  });
});
