import { create } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import {
  FunctionProtoSchema,
  TensorProtoSchema,
  TensorProto_DataType as Type,
  type TensorProto,
} from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { checkModel } from './check.ts';
import { readModel, writeModel, type Model } from './model.ts';
import { OnnxError } from '../onnx-error.ts';
import { tensor } from '../tensor/tensor.ts';
import { ortSession } from '../testing/ort.ts';
import { bytesOf, realModels } from '../testing/real-models.ts';
import { branching, linear } from '../testing/small-models.ts';

function flawOf(model: Model): OnnxError | undefined {
  try {
    checkModel(model);
    return undefined;
  } catch (error) {
    if (error instanceof OnnxError) return error;
    throw error;
  }
}

/** A chain of `count` Relu nodes: x → v0 → v1 … → y. */
function chain(count: number): Model {
  const graph = new GraphBuilder('chain');
  let value = graph.input('x', 'float32', ['n']);
  for (let i = 0; i < count; i++) {
    const name = i === count - 1 ? 'y' : `v${i}`;
    [value] = graph.node('Relu', [value], {}, { outputs: [name], name: `relu${i}` });
  }
  graph.output(value, 'float32', ['n']);
  return graph.model();
}

const changed = (model: Model, change: (model: Model) => void) => {
  change(model);
  return model;
};

describe('checkModel', () => {
  it.each(realModels)('accepts $name', ({ path }) => {
    expect(flawOf(readModel(bytesOf(path)))).toBeUndefined();
  });

  it('accepts branches that read the names around them', () => {
    expect(flawOf(branching())).toBeUndefined();
  });

  it.each<[string, Model, OnnxError['kind'], string]>([
    [
      'an input that nothing produces',
      changed(linear(), (m) => (m.graph!.node[0]!.input[1] = 'weights')),
      'invalid',
      "Node 'multiply' (MatMul) reads 'weights', which nothing produces.",
    ],
    [
      'nodes out of order',
      changed(chain(3), (m) => m.graph!.node.reverse()),
      'invalid',
      "Node 'relu2' (Relu) reads 'v1' before node 'relu1' (Relu) produces it: the nodes are not in order.",
    ],
    [
      'a node that reads its own output',
      changed(chain(1), (m) => (m.graph!.node[0]!.input[0] = 'y')),
      'invalid',
      "reads 'y' before node 'relu0' (Relu) produces it",
    ],
    [
      'a value produced twice',
      changed(chain(3), (m) => (m.graph!.node[1]!.output[0] = 'v0')),
      'invalid',
      "Node 'relu1' (Relu) produces 'v0', which already exists.",
    ],
    [
      'an output that hides an initialiser',
      changed(linear(), (m) => (m.graph!.node[0]!.output[0] = 'w')),
      'invalid',
      "produces 'w', which already exists",
    ],
    [
      'an output that is never produced',
      changed(linear(), (m) => (m.graph!.output[0]!.name = 'z')),
      'invalid',
      "Output 'z' of graph 'linear' is never produced.",
    ],
    [
      'an input twice',
      changed(linear(), (m) => m.graph!.input.push(m.graph!.input[0]!)),
      'invalid',
      "Input 'x' occurs twice.",
    ],
    [
      'an input without a name',
      changed(linear(), (m) => (m.graph!.input[0]!.name = '')),
      'invalid',
      'An input has no name.',
    ],
    [
      'an initialiser twice',
      changed(linear(), (m) => m.graph!.initializer.push(m.graph!.initializer[0]!)),
      'invalid',
      "Initialiser 'w' occurs twice.",
    ],
    [
      'weights that are too short',
      changed(linear(), (m) => (m.graph!.initializer[0]!.rawData = new Uint8Array(12))),
      'invalid',
      "The initialiser 'w' of shape [2, 2] and type float32 takes 16 bytes, but holds 12.",
    ],
    [
      'weights that are missing',
      changed(linear(), (m) => (m.graph!.initializer[0]!.rawData = new Uint8Array(0))),
      'invalid',
      "The initialiser 'w' of shape [2, 2] takes 4 elements, but holds 0.",
    ],
    [
      'a negative dimension',
      changed(linear(), (m) => (m.graph!.initializer[0]!.dims[0] = -1n)),
      'invalid',
      "A dimension of initialiser 'w' is negative.",
    ],
    [
      'an operator of a later opset',
      changed(chain(1), (m) => (m.graph!.node[0]!.opType = 'Gelu')),
      'unsupported',
      "Operator 'Gelu' (node 'relu0') is not in opset 17 of ai.onnx: it came with opset 20",
    ],
    [
      'an operator that was withdrawn',
      changed(chain(1), (m) => (m.graph!.node[0]!.opType = 'Upsample')),
      'unsupported',
      'it was withdrawn in opset 10',
    ],
    [
      'an operator that never existed',
      changed(chain(1), (m) => (m.graph!.node[0]!.opType = 'toString')),
      'unsupported',
      "Operator 'toString' (node 'relu0') is not an operator of ai.onnx.",
    ],
    [
      'a domain that is not imported',
      changed(chain(1), (m) => (m.graph!.node[0]!.domain = 'com.microsoft')),
      'invalid',
      "Node 'relu0' (Relu) belongs to domain 'com.microsoft', which the model does not import.",
    ],
    [
      'a flaw in a branch',
      changed(branching(), (m) => (m.graph!.node[0]!.attribute[0]!.g!.node[0]!.input[0] = 'q')),
      'invalid',
      "reads 'q', which nothing produces",
    ],
  ])('refuses %s', (_, model, kind, message) => {
    const flaw = flawOf(model);
    expect(flaw?.message).toContain(message);
    expect(flaw?.kind).toBe(kind);
  });

  it('leaves operators of other domains to the runtime', () => {
    const graph = new GraphBuilder('custom');
    graph.input('x', 'float32', ['n']);
    graph.node('Anything', ['x'], {}, { outputs: ['y'], domain: 'com.acme' });
    graph.output('y', 'float32', ['n']);
    expect(flawOf(graph.model({ domains: { 'com.acme': 1 } }))).toBeUndefined();
  });

  it('accepts the functions that a model defines itself, and checks them', () => {
    const model = changed(chain(1), (m) => {
      m.graph!.node[0]!.opType = 'Twice';
      m.graph!.node[0]!.domain = 'local';
      m.opsetImport.push({ ...m.opsetImport[0]!, domain: 'local', version: 1n });
    });
    const body = chain(2);
    model.functions.push(
      create(FunctionProtoSchema, {
        name: 'Twice',
        domain: 'local',
        input: ['x'],
        output: ['y'],
        node: body.graph!.node,
        opsetImport: body.opsetImport,
      }),
    );
    expect(flawOf(model)).toBeUndefined();
    model.functions[0]!.output[0] = 'z';
    expect(flawOf(model)?.message).toBe("Output 'z' of function 'Twice' is never produced.");
  });

  it.each<[string, Partial<TensorProto>]>([
    ['float32 in float_data', { dataType: Type.FLOAT, floatData: [1, 2, 3] }],
    ['float16 in int32_data', { dataType: Type.FLOAT16, int32Data: [1, 2, 3] }],
    ['bool in int32_data', { dataType: Type.BOOL, int32Data: [1, 0, 1] }],
    ['int64 in int64_data', { dataType: Type.INT64, int64Data: [1n, 2n, 3n] }],
    ['uint32 in uint64_data', { dataType: Type.UINT32, uint64Data: [1n, 2n, 3n] }],
    ['double in double_data', { dataType: Type.DOUBLE, doubleData: [1, 2, 3] }],
    ['complex64 in float_data', { dataType: Type.COMPLEX64, floatData: [1, 2, 3, 4, 5, 6] }],
    ['int4 in int32_data, two in one', { dataType: Type.INT4, int32Data: [0x21, 3] }],
    ['int4 in raw_data, two in one', { dataType: Type.INT4, rawData: new Uint8Array(2) }],
    ['strings', { dataType: Type.STRING, stringData: [1, 2, 3].map((i) => new Uint8Array(i)) }],
  ])('counts the elements of %s', (_, stored) => {
    const withConstant = (dims: bigint[]) =>
      changed(chain(1), (m) => {
        const constant = create(TensorProtoSchema, { name: 'c', dims, ...(stored as object) });
        m.graph!.initializer.push(constant);
      });
    expect(flawOf(withConstant([3n]))).toBeUndefined();
    expect(flawOf(withConstant([5n]))?.kind).toBe('invalid');
    expect(flawOf(withConstant([3n, 0n]))?.kind).toBe('invalid');
  });

  it('agrees with ONNX Runtime on the wiring of any small graph', async () => {
    // Nodes that read and write names at random: some graphs are sound, most are not.
    const name = fc.constantFrom('x', 'w', 'a', 'b', 'y');
    const node = fc.tuple(name, name, name);
    const nodes = fc.array(node, { minLength: 1, maxLength: 3 });
    let sound = 0;
    await fc.assert(
      fc.asyncProperty(nodes, async (wiring) => {
        const graph = new GraphBuilder('random');
        graph.input('x', 'float32', ['n']);
        graph.initializer('w', tensor('float32', [1], new Float32Array([1])));
        for (const [a, b, out] of wiring) graph.node('Add', [a, b], {}, { outputs: [out] });
        graph.node('Add', ['x', 'w'], {}, { outputs: ['y'] });
        graph.output('y', 'float32', ['n']);
        const model = graph.model();
        const accepted = await ortSession(writeModel(model)).then(
          (session) => session.release().then(() => true),
          () => false,
        );
        if (accepted) sound++;
        const flaw = flawOf(model);
        // The standard requires an order that ONNX Runtime does not need.
        if (flaw?.message.includes('not in order') !== true) {
          expect(flaw === undefined).toBe(accepted);
        }
      }),
      { numRuns: 400, seed: 1 },
    );
    expect(sound).toBeGreaterThan(20);
  });
});
