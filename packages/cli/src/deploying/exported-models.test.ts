/** Models as exporters write them with their defaults: deployed by the command, called, and trained. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GraphBuilder, tensor, writeModel } from '@skein/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { scikitClassifier } from '../../../onnx/src/testing/scikit-classifier.ts';
import { moveOut } from '../../../onnx/src/testing/small-models.ts';
import { startNodeProcess, type NodeProcess } from '../../../server/src/testing/node-process.ts';

const torch = requireComponent('python3-torch');

interface Answer {
  readonly outputs: Readonly<Record<string, { readonly data: unknown }>>;
}

let node: NodeProcess;
beforeAll(async () => {
  node = await startNodeProcess();
}, 60_000);
afterAll(() => node.stop());

/** A machine that is busy with other tests is not what is tested here. */
const PATIENT = ['--timeout', '20s'];
/** The machine has fewer cores than these deployments ask for. */
const SHARED = ['--oversubscribe'];
const infer = (name: string, data: object): Promise<Answer> =>
  node.json('infer', name, ...PATIENT, '--data', JSON.stringify(data));
const write = (name: string, bytes: Uint8Array): void =>
  writeFileSync(join(node.folder, name), bytes);

describe('a classifier of scikit-learn with its ZipMap', () => {
  it('names the classes by text', async () => {
    write(
      'iris.onnx',
      writeModel(scikitClassifier('forest', ['setosa', 'versicolor', 'virginica'])),
    );
    const { version } = await node.json<{ version: { metadata: Record<string, string> } }>(
      'deploy',
      'iris.onnx',
      ...SHARED,
    );
    expect(version.metadata).toMatchObject({
      uploadedDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const { outputs } = await infer('iris', {
      float_input: [
        [-1, 0],
        [1, 0],
        [1, 2],
      ],
    });
    expect(outputs).toMatchObject({
      output_label: { data: ['setosa', 'versicolor', 'virginica'] },
      output_probability: {
        data: [
          [1, 0, 0],
          [0, 0.75, 0.25],
          [0, 0, 1],
        ],
      },
      'output_probability.class': { data: ['setosa', 'versicolor', 'virginica'] },
    });
  });

  it('names the classes by number, also in the classification extension', async () => {
    write('digits.onnx', writeModel(scikitClassifier('forest', [3, 5, 8])));
    await node.json('deploy', 'digits.onnx', ...SHARED);
    const response = await fetch(`${node.url}/v2/models/digits/infer`, {
      method: 'POST',
      headers: { 'skein-timeout-ms': '20000' },
      body: JSON.stringify({
        inputs: [{ name: 'float_input', datatype: 'FP32', shape: [2, 2], data: [1, 0, 1, 2] }],
        outputs: [{ name: 'output_probability', parameters: { classification: 2 } }],
      }),
    });
    expect(await response.json()).toMatchObject({
      outputs: [{ shape: [2, 2], data: ['0.75:1:5', '0.25:2:8', '1:2:8', '0:0:3'] }],
    });
  });
});

describe('a model of PyTorch', () => {
  const rows = Array.from(
    { length: 40 },
    (_, row) => `${row % 2},${row % 3},${row % 2 ? 'yes' : 'no'}`,
  );
  const trains = async (file: string): Promise<void> => {
    write('table.csv', Buffer.from(['a,b,label', ...rows].join('\n')));
    const plan = [
      '--data',
      'table.csv',
      '--label',
      'label',
      '--epochs',
      '2',
      '--out',
      'trained.onnx',
    ];
    const { run } = await node.json<{ run: { status: string } }>('train', '--model', file, ...plan);
    expect(run).toMatchObject({ status: 'finished' });
  };

  it('deploys and trains as torch 2.9 exports it: operator set 18, weights in a file next to it', async () => {
    const graph = new GraphBuilder('main_graph');
    const x = graph.input('x', 'float32', ['s77', 2]);
    const w = graph.initializer('0.weight', tensor('float32', [2, 2], Float32Array.of(1, 2, 3, 4)));
    const b = graph.initializer('0.bias', tensor('float32', [2], Float32Array.of(0.5, -0.5)));
    const [y] = graph.node(
      'Gemm',
      [x, w, b],
      { transB: 1 },
      { name: 'node_linear', outputs: ['linear'] },
    );
    graph.output(y, 'float32', ['s77', 2]);
    const model = graph.model({ opset: 18, irVersion: 10 });
    const entries = { location: 'dynamo.onnx.data', offset: '0', length: '16' };
    write('dynamo.onnx.data', moveOut(model, entries));
    write('dynamo.onnx', writeModel(model));
    await node.json('deploy', 'dynamo.onnx', ...SHARED);
    const { outputs } = await infer('dynamo', {
      x: [
        [1, 2],
        [0, 0],
        [-1, 1],
      ],
    });
    expect(outputs['linear']?.data).toEqual([
      [5.5, 10.5],
      [0.5, -0.5],
      [1.5, 0.5],
    ]);
    await trains('dynamo.onnx');
  });

  it.skipIf(torch.skip)(
    'deploys and trains as torch.jit’s exporter writes it',
    async () => {
      const code = `import torch
m = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
axes = {'x': {0: 'batch'}, 'y': {0: 'batch'}}
torch.onnx.export(m, (torch.zeros(1, 2),), 'script.onnx', input_names=['x'], output_names=['y'], dynamic_axes=axes)`;
      execFileSync('/usr/bin/python3', ['-c', code], { cwd: node.folder, stdio: 'pipe' });
      await node.json('deploy', 'script.onnx', ...SHARED);
      const { outputs } = await infer('script', {
        x: [
          [1, 2],
          [0, 0],
          [-1, 1],
        ],
      });
      expect(outputs['y']?.data).toHaveLength(3);
      await trains('script.onnx');
    },
    60_000,
  );
});

describe('inputs', () => {
  it('are texts and numbers, as a pipeline with a one-hot encoder has them', async () => {
    const graph = new GraphBuilder('columns');
    graph.input('city', 'string', [null, 1]);
    graph.input('age', 'float32', [null, 1]);
    const ml = { domain: 'ai.onnx.ml' };
    const cats = { cats_strings: ['Berlin', 'Paris'], zeros: 1 };
    const [hot] = graph.node('OneHotEncoder', ['city'], cats, ml);
    const shape = graph.initializer('shape', tensor('int64', [2], BigInt64Array.of(-1n, 2n)));
    const [flat] = graph.node('Reshape', [hot, shape]);
    graph.node('Concat', [flat, 'age'], { axis: 1 }, { outputs: ['variable'] });
    graph.output('variable', 'float32', [null, 3]);
    write('columns.onnx', writeModel(graph.model({ domains: { 'ai.onnx.ml': 1 } })));
    await node.json('deploy', 'columns.onnx', ...SHARED);
    const { outputs } = await infer('columns', { city: [['Paris'], ['Oslo']], age: [[30], [40]] });
    expect(outputs['variable']?.data).toEqual([
      [0, 1, 30],
      [0, 0, 40],
    ]);
  });

  it('have any size on each dynamic axis', async () => {
    const graph = new GraphBuilder('dynamic');
    graph.input('x', 'float32', ['batch', 'length', null]);
    graph.node('Shape', ['x'], {}, { outputs: ['size'] });
    graph.output('size', 'int64', [3]);
    graph.node('Relu', ['x'], {}, { outputs: ['y'] });
    graph.output('y', 'float32', ['batch', 'length', null]);
    write('dynamic.onnx', writeModel(graph.model()));
    await node.json('deploy', 'dynamic.onnx', ...SHARED);
    for (const x of [[[[1, -1]]], [[[1], [2], [3]]], [[[1, 2, 3]], [[4, 5, 6]]]]) {
      const { outputs } = await infer('dynamic', { x });
      expect(outputs['size']?.data).toEqual([x.length, x[0]!.length, x[0]![0]!.length]);
    }
  });
});
