/** Training beside a node: runs are known there, and what they made is served. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeploymentView, Run, RunSummary, VersionView } from '@skein/api';
import { createClient } from '@skein/api/client';
import { readModel, seededRandom, tensorOf, type Model } from '@skein/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNodeProcess, type TestNode } from '../testing/cli.ts';

const WDBC = join(import.meta.dirname, '../../../../examples/wdbc/wdbc.csv');
const STRIPES = join(import.meta.dirname, 'fixtures/stripes.onnx');

interface Trained {
  readonly run: Run;
  readonly model: string;
  readonly deployment?: DeploymentView;
}

let node: TestNode;
beforeAll(async () => {
  node = await startNodeProcess();
  await copyFile(WDBC, join(node.folder, 'wdbc.csv'));
  await copyFile(STRIPES, join(node.folder, 'stripes.onnx'));
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

/** Stripes in one of four directions, as the fixture's script draws them: 12 × 12 bytes each. */
function stripes(count: number, seed: number): { images: Uint8Array; labels: Uint8Array } {
  const random = seededRandom(seed);
  const images = new Uint8Array(count * 144);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 4);
  for (let row = 0; row < count; row++) {
    const angle = (labels[row]! * Math.PI) / 4;
    const [width, phase] = [1.2 + random.next(), random.next() * 2 * Math.PI];
    for (let at = 0; at < 144; at++) {
      const [x, y] = [at % 12, Math.floor(at / 12)];
      const along = x * Math.cos(angle) + y * Math.sin(angle);
      images[row * 144 + at] = 255 * (0.5 + 0.4 * Math.sin(along * width + phase));
    }
  }
  return { images, labels };
}

function weight(model: Model, name: string): Buffer {
  const found = model.graph!.initializer.find((each) => each.name === name)!;
  const value = tensorOf(found)!;
  return Buffer.from(value.type === 'string' ? [] : value.bytes);
}

describe('a table', () => {
  it('becomes a deployment that answers raw rows, and the run knows its version', async () => {
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
});

describe('a model from PyTorch', () => {
  it('learns with its last layer alone, is deployed, and answers', async () => {
    const { images, labels } = stripes(240, 1);
    const file = (name: string) => join(node.folder, name);
    await writeFile(file('train-images-idx3-ubyte'), idx([240, 12, 12], images));
    await writeFile(file('train-labels-idx1-ubyte'), idx([240], labels));
    const { run, model } = await node.json<Trained>(
      'train',
      'stripes.onnx',
      '--data',
      'train-images-idx3-ubyte',
      '--epochs',
      '8',
      '--freeze',
      'Conv|fc1',
      '--lr',
      '0.01',
      '--deploy',
      'stripes',
      '--out',
      'tuned.onnx',
    );
    expect(run.task).toBe('classification');
    const { report } = run.result!;
    if (report?.kind !== 'classification') throw new Error('no classification');
    expect(report.accuracy).toBeGreaterThan(0.95);
    expect(run.lineage.parent.path).toBe('stripes.onnx');

    const [parent, tuned] = [readModel(await readFile(STRIPES)), readModel(await readFile(model))];
    for (const name of ['onnx::Conv_32', 'onnx::Conv_36', 'fc1.weight', 'fc1.bias']) {
      expect(weight(tuned, name)).toEqual(weight(parent, name));
    }
    expect(weight(tuned, 'fc2.weight')).not.toEqual(weight(parent, 'fc2.weight'));

    const held = stripes(40, 2);
    const { outputs } = await createClient({ url: node.url }).infer('stripes', {
      pixels: { shape: [40, 12, 12], type: 'uint8', data: held.images },
    });
    const logits = outputs['logits']!.data as Float32Array;
    const right = held.labels.filter((label, row) => {
      const scores = logits.subarray(row * 4, row * 4 + 4);
      return scores.indexOf(Math.max(...scores)) === label;
    });
    expect(right.length).toBeGreaterThanOrEqual(38);
  });

  it('is refused labels that it has no output for, before the first step', async () => {
    const { images, labels } = stripes(24, 1);
    labels[17] = 4;
    await writeFile(join(node.folder, 'bad-images.idx3'), idx([24, 12, 12], images));
    await writeFile(join(node.folder, 'bad-labels.idx1'), idx([24], labels));
    const { stdout } = await node.run(
      'train',
      'stripes.onnx',
      '--data',
      'bad-images.idx3',
      '--json',
    );
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'TRAINING_DATA_INVALID',
      error: 'Row 17 has the label 4, which is out of range: there are 4 classes, 0 to 3.',
    });
  });
});

it('the command and the API tell of the same runs, and forget the same', async () => {
  const before = await node.json<{ runs: RunSummary[] }>('runs', 'ls');
  const { runs } = await createClient({ url: node.url }).listRuns();
  expect(runs).toEqual(before.runs);
  const id = runs.at(-1)!.id;
  await createClient({ url: node.url }).removeRun({ id });
  const after = await node.json<{ runs: RunSummary[] }>('runs', 'ls');
  expect(after.runs).toEqual(before.runs.filter((run) => run.id !== id));
});
