import { AttributeProto_AttributeType as Kind } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { float, floats } from './attribute.ts';
import { GraphBuilder } from './builder.ts';
import { checkModel } from './check.ts';
import { readModel, writeModel } from './model.ts';
import { stringTensor, tensor } from '../tensor/tensor.ts';
import { ortRun, ortSession, OrtTensor } from '../testing/ort.ts';
import { branching } from '../testing/small-models.ts';

describe('GraphBuilder', () => {
  it('gives every attribute its type', () => {
    const graph = new GraphBuilder('attributes');
    graph.node('Anything', [], {
      int: 1,
      float: float(1),
      string: 'text',
      ints: [1, 2],
      floats: floats([1, 2.5]),
      strings: ['a', 'b'],
      tensor: tensor('float32', [1], new Float32Array([3])),
      texts: stringTensor([1], ['c']),
      graph: { graph: new GraphBuilder('inner') },
    });
    const { attribute } = readModel(writeModel(graph.model())).graph!.node[0]!;
    expect(attribute.map(({ name, type }) => `${name} ${Kind[type]}`)).toEqual([
      'int INT',
      'float FLOAT',
      'string STRING',
      'ints INTS',
      'floats FLOATS',
      'strings STRINGS',
      'tensor TENSOR',
      'texts TENSOR',
      'graph GRAPH',
    ]);
    expect(attribute[1]!.f).toBe(1);
    expect(new TextDecoder().decode(attribute[5]!.strings[1])).toBe('b');
  });

  it('refuses a fraction as an integer attribute', () => {
    const graph = new GraphBuilder('wrong');
    expect(() => graph.node('LeakyRelu', ['x'], { alpha: 0.1 })).toThrow('write float(0.1)');
  });

  it('generates unique names for outputs, or uses the given ones', () => {
    const graph = new GraphBuilder('names');
    expect(graph.node('Split', ['x'], {}, { outputs: 2 })).toEqual(['Split_0', 'Split_0_1']);
    expect(graph.node('Split', ['x'], {}, { outputs: 2 })).toEqual(['Split_1', 'Split_1_1']);
    expect(graph.node('Relu', ['x'], {}, { outputs: ['y'] })).toEqual(['y']);
  });

  it('builds branches that ONNX Runtime accepts', async () => {
    const model = branching();
    checkModel(model);
    const x = new OrtTensor('float32', new Float32Array([1, 2]), [2]);
    const flag = (value: number) => new OrtTensor('bool', new Uint8Array([value]), []);
    expect(await ortRun(model, { x, flag: flag(1) })).toEqual({ y: [2, 3] });
    expect(await ortRun(model, { x, flag: flag(0) })).toEqual({ y: [0, 1] });
  });

  it('writes initialisers of strings and of views into larger buffers', async () => {
    const graph = new GraphBuilder('constants');
    const numbers = new Float32Array([0, 1, 2, 3]).subarray(1, 3);
    graph.initializer('n', tensor('float32', [2], numbers));
    graph.initializer('s', stringTensor([2], ['é', '']));
    graph.input('x', 'float32', [2]);
    graph.node('Add', ['x', 'n'], {}, { outputs: ['y'] });
    graph.node('Identity', ['s'], {}, { outputs: ['t'] });
    graph.output('y', 'float32', [2]);
    graph.output('t', 'string', [2]);
    const model = graph.model();
    checkModel(model);
    const session = await ortSession(model);
    const x = new OrtTensor('float32', new Float32Array(2), [2]);
    const { y, t } = await session.run({ x });
    expect(Array.from(y!.data as Float32Array)).toEqual([1, 2]);
    expect(t!.data).toEqual(['é', '']);
    await session.release();
  });
});
