/** Training with a node: runs are known there, and their models are served. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeploymentView, Run, RunSummary, VersionView } from '@skein/api';
import { createClient } from '@skein/api/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNodeProcess, type NodeProcess } from '../../../../server/src/testing/node-process.ts';

const WDBC = join(import.meta.dirname, '../../../../../examples/wdbc/wdbc.csv');
const DIGITS = join(import.meta.dirname, '../../../../../examples/fine-tuning/digits.onnx');

interface Trained {
  readonly run: Run;
  readonly model: string;
  readonly deployment?: DeploymentView;
}

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess();
  await copyFile(WDBC, join(node.folder, 'wdbc.csv'));
});
afterAll(() => node.stop());

/** Bytes in the IDX format of the MNIST family. */
function idx(shape: readonly number[], bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt16BE(0x08, 1);
  header[2] = 0x08;
  header[3] = shape.length;
  shape.forEach((size, axis) => header.writeUInt32BE(size, 4 + 4 * axis));
  return Buffer.concat([header, bytes]);
}

describe('a table', () => {
  it('becomes a deployment that answers raw rows, and the run records its version', async () => {
    const { run, deployment } = await node.json<Trained>(
      'train',
      '--model',
      'mlp:16',
      '--data',
      'wdbc.csv',
      '--label',
      'diagnosis',
      '--lr',
      '0.01',
      '--epochs',
      '6',
      '--name',
      'tumours',
      '--deploy',
      'risk',
    );
    expect(run.versions).toMatchObject([{ model: 'risk', version: '1' }]);
    expect(deployment).toMatchObject({ name: 'risk', status: 'ready' });

    const client = createClient({ url: node.url });
    const known = await client.getRun({ id: run.id });
    expect(known).toEqual(run);
    const version: VersionView = await client.getVersion({ name: 'risk', version: '1' });
    expect(version.digest).toBe(run.result!.digest);
    expect(version.metadata).toMatchObject({
      run: run.id,
      parent: run.lineage.parent.digest,
      data: run.lineage.data[0]!.digest,
      seed: '42',
    });

    const [, first = '', ...rows] = (await readFile(WDBC, 'utf8')).split('\n');
    const benign = rows.find((row) => row.endsWith('benign'))!;
    const features = [first, benign].map((row) => row.split(',').slice(0, 30).map(Number));
    const { outputs } = await client.infer('risk', {
      features: { shape: [2, 30], type: 'float32', data: Float32Array.from(features.flat()) },
    });
    const [b0, m0, b1, m1] = Array.from(outputs['probabilities']!.data as Float32Array);
    expect(m0! + b0!).toBeCloseTo(1, 5);
    expect(m0).toBeGreaterThan(0.9);
    expect(m1! + b1!).toBeCloseTo(1, 5);
    expect(b1).toBeGreaterThan(0.7);
  });

  it('trained further becomes the next version, whose parent is the one before', async () => {
    const [before] = (await node.json<{ runs: RunSummary[] }>('runs', 'ls')).runs;
    await node.run('train', '--model', 'mlp', '--data', 'wdbc.csv', '--label', 'diagnosis');
    const parent = join(node.folder, '.skein/runs', before!.id, 'model.onnx');
    const { run } = await node.json<Trained>(
      'train',
      parent,
      '--data',
      'wdbc.csv',
      '--label',
      'diagnosis',
      '--name',
      'further',
      '--epochs',
      '1',
      '--lr',
      '0.0001',
    );
    expect(run.lineage.parent.digest).toBe(before!.result!.digest);
    await node.json('deploy', '--run', 'further', '--name', 'risk');
    const client = createClient({ url: node.url });
    const { metadata } = await client.getVersion({ name: 'risk', version: '2' });
    expect(metadata['parent']).toBe(
      (await client.getVersion({ name: 'risk', version: '1' })).digest,
    );
    expect((await client.getRun({ id: run.id })).versions).toMatchObject([
      { model: 'risk', version: '2' },
    ]);
  });

  it('is kept where the node does not serve it, and a wrong name is refused before the training', async () => {
    const train = ['train', '--model', 'mlp', '--data', 'wdbc.csv', '--label', 'diagnosis'];
    const misnamed = await node.run(...train, '--epochs', '1', '--deploy', 'no name');
    expect(misnamed.stderr).toContain('REQUEST_INVALID');
    expect(misnamed.stderr).not.toContain('epoch');
    await node.json('rollout', 'risk', '--version', '1', '--shadow');
    const refused = await node.run(...train, '--epochs', '1', '--deploy', 'risk');
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/is kept[^]*skein deploy --run \S+ --name risk[^]*ROLLOUT_IN_PROGRESS/),
    ]);
    await node.run('rollback', 'risk');
  });
});

it('a model from PyTorch is refused labels that it has no output for, before the first step', async () => {
  const labels = Uint8Array.from({ length: 24 }, (_, i) => (i === 17 ? 10 : i % 10));
  const images = Uint8Array.from({ length: 24 * 64 }, (_, i) => i % 256);
  await writeFile(join(node.folder, 'bad-images.idx3'), idx([24, 8, 8], images));
  await writeFile(join(node.folder, 'bad-labels.idx1'), idx([24], labels));
  const { stdout } = await node.run('train', DIGITS, '--data', 'bad-images.idx3', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    code: 'TRAINING_DATA_INVALID',
    error: 'Row 17 has the label 10, which is out of range: there are 10 classes, 0 to 9.',
  });
});

it('the command and the API list the same runs, and remove the same', async () => {
  const before = await node.json<{ runs: RunSummary[] }>('runs', 'ls');
  const { runs } = await createClient({ url: node.url }).listRuns();
  expect(runs).toEqual(before.runs);
  const id = runs.at(-1)!.id;
  await createClient({ url: node.url }).removeRun({ id });
  const after = await node.json<{ runs: RunSummary[] }>('runs', 'ls');
  expect(after.runs).toEqual(before.runs.filter((run) => run.id !== id));
  const [next] = after.runs;
  expect(await node.json('runs', 'rm', next!.id)).toEqual({ removed: [next!.id] });
  expect((await node.json<{ runs: RunSummary[] }>('runs', 'ls')).runs).toEqual(after.runs.slice(1));
  const { code, stderr } = await node.run('runs', 'rm', next!.id);
  expect([code, stderr]).toEqual([1, expect.stringContaining('RUN_UNKNOWN')]);
});
