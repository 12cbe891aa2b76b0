import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import { readModel, writeModel, type Model } from '../model/model.ts';
import { nodeProto } from '../model/protos.ts';
import { signatureOf } from '../model/signature.ts';
import { tensor } from '../tensor/tensor.ts';
import { ortRun, ortSession, OrtTensor } from '../testing/ort.ts';
import { scikitClassifier } from '../testing/scikit-classifier.ts';
import { withTensorOutputs } from './tensor-outputs.ts';

const rows = Float32Array.of(-1, 2, 1, 0.5, 1, 3);
const row = new OrtTensor('float32', rows, [3, 2]);

/** x and x + 1, which the nodes of the sequence read. */
function parts(): GraphBuilder {
  const graph = new GraphBuilder('parts');
  graph.input('x', 'float32', ['batch', 2]);
  graph.initializer('one', tensor('float32', [], Float32Array.of(1)));
  graph.node('Add', ['x', 'one'], {}, { outputs: ['more'] });
  return graph;
}

/** The served model, after a way through its bytes. */
function served(model: Model): Model {
  checkModel(model);
  const before = writeModel(model);
  const changed = readModel(writeModel(withTensorOutputs(model).model));
  expect(writeModel(model)).toEqual(before);
  checkModel(changed);
  return changed;
}

describe('an output of ZipMap', () => {
  it.each([
    ['linear', ['setosa', 'versicolor', 'virginica']],
    ['linear', [0, 1, 2]],
    ['forest', ['a', 'b', 'c']],
    ['forest', [-5, 7, 2 ** 40]],
  ] as const)('of a %s model with the labels %j serves the scores', async (kind, labels) => {
    const model = scikitClassifier(kind, labels);
    const changed = served(model);
    expect(signatureOf(changed).outputs).toEqual([
      {
        name: 'output_label',
        type: typeof labels[0] === 'string' ? 'string' : 'int64',
        shape: [null],
      },
      { name: 'output_probability', type: 'float32', shape: [null, 3] },
    ]);
    const found = await ortRun(changed, { float_input: row });
    const expected = await ortRun(scikitClassifier(kind, labels, false), { float_input: row });
    expect(found['output_probability']).toEqual(expected['probabilities']);
    expect(found['output_label']).toEqual(expected['output_label']);
    expect(withTensorOutputs(model).labels).toEqual(
      new Map([['output_probability', labels.map(String)]]),
    );
  });

  it('runs where the file imports ai.onnx.ml alone', async () => {
    const model = scikitClassifier('linear', ['a', 'b', 'c']);
    model.graph!.node = model.graph!.node.filter(({ domain }) => domain !== '');
    model.graph!.output.shift();
    model.opsetImport = model.opsetImport.filter(({ domain }) => domain !== '');
    const found = await ortRun(served(model), { float_input: row });
    expect(found['output_probability']).toHaveLength(9);
  });

  it('that the graph itself reads is refused with the option of the exporter', () => {
    const model = scikitClassifier('linear', [0, 1, 2]);
    model.graph!.node.push(
      nodeProto('DictVectorizer', 'again', ['output_probability'], ['z'], {}, 'ai.onnx.ml'),
    );
    expect(() => withTensorOutputs(model)).toThrow(
      /'output_probability'.*'again' \(DictVectorizer\).*'zipmap': False/,
    );
  });
});

describe('a sequence of tensors at an output', () => {
  it.each<[string, (graph: GraphBuilder) => void]>([
    [
      'SequenceConstruct',
      (graph) => void graph.node('SequenceConstruct', ['x', 'more'], {}, { outputs: ['y'] }),
    ],
    [
      'SequenceEmpty and SequenceInsert',
      (graph) => {
        const [none] = graph.node('SequenceEmpty', []);
        const [first] = graph.node('SequenceInsert', [none, 'x']);
        graph.node('SequenceInsert', [first, 'more'], {}, { outputs: ['y'] });
      },
    ],
  ])('made by %s becomes one output for each', async (_, write) => {
    const graph = parts();
    write(graph);
    graph.sequenceOutput('y', 'float32');
    const changed = served(graph.model());
    expect(signatureOf(changed).outputs).toEqual([
      { name: 'y.0', type: 'float32', shape: ['batch', 2] },
      { name: 'y.1', type: 'float32', shape: ['batch', 2] },
    ]);
    expect(changed.graph!.node.map(({ opType }) => opType)).toEqual([
      'Add',
      'Identity',
      'Identity',
    ]);
    expect(await ortRun(changed, { x: row })).toEqual({
      'y.0': [...rows],
      'y.1': [...rows].map((value) => value + 1),
    });
  });

  it('of one keeps its name, and a name that is taken is not used twice', async () => {
    const graph = parts();
    graph.node('Identity', ['x'], {}, { outputs: ['z.0'] });
    graph.output('z.0', 'float32', ['batch', 2]);
    graph.node('SequenceConstruct', ['more'], {}, { outputs: ['y'] });
    graph.sequenceOutput('y', 'float32');
    graph.node('SequenceConstruct', ['x', 'x'], {}, { outputs: ['z'] });
    graph.sequenceOutput('z', 'float32');
    const changed = served(graph.model());
    const names = signatureOf(changed).outputs.map(({ name }) => name);
    expect(names).toEqual(['z.0', 'y', 'z.0_', 'z.1']);
    expect((await ortSession(changed)).outputNames).toEqual(names);
  });

  it('of single slices becomes the tensor that was split', async () => {
    const graph = parts();
    graph.node('SplitToSequence', ['more'], { axis: 0 }, { outputs: ['y'] });
    graph.sequenceOutput('y', 'float32');
    expect((await ortRun(served(graph.model()), { x: row }))['y']).toHaveLength(6);
  });

  it.each<[string, (graph: GraphBuilder) => void]>([
    [
      'SequenceErase',
      (graph) => {
        const [both] = graph.node('SequenceConstruct', ['x', 'more']);
        graph.node('SequenceErase', [both], {}, { outputs: ['y'], name: 'drop' });
      },
    ],
    [
      'SequenceInsert',
      (graph) => {
        const [both] = graph.node('SequenceConstruct', ['x']);
        graph.initializer('at', tensor('int64', [], BigInt64Array.of(0n)));
        graph.node('SequenceInsert', [both, 'more', 'at'], {}, { outputs: ['y'], name: 'drop' });
      },
    ],
  ])('that %s makes is refused by the name of this node', (operator, write) => {
    const graph = parts();
    write(graph);
    graph.sequenceOutput('y', 'float32');
    expect(() => withTensorOutputs(graph.model())).toThrow(
      `Output 'y' cannot be served as a tensor: Node 'drop' (${operator}) makes a sequence or map. Return tensors from the model`,
    );
  });

  it('of more tensors than outputs may be is refused', () => {
    const graph = parts();
    graph.node(
      'SequenceConstruct',
      Array.from({ length: 1025 }, () => 'x'),
      {},
      { outputs: ['y'] },
    );
    graph.sequenceOutput('y', 'float32');
    expect(() => withTensorOutputs(graph.model())).toThrow(/more than 1024 tensors/);
  });
});

it('leaves a model whose outputs are tensors as it is', () => {
  const model = scikitClassifier('linear', [0, 1, 2], false);
  expect(withTensorOutputs(model).model).toBe(model);
});
