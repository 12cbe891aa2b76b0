import { describe, expect, it } from 'vitest';
import { float, floats } from '../model/attribute.ts';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import { mlp } from '../layers/mlp.ts';
import { withLoss } from '../loss/loss.ts';
import { writeModel } from '../model/model.ts';
import { tensorOf } from '../model/protos.ts';
import { tensor, values, type NumericTensor } from '../tensor/tensor.ts';
import { ortRun, OrtTensor } from '../testing/ort.ts';
import { branching } from '../testing/small-models.ts';
import { removeDeadNodes } from './dead-nodes.ts';
import { liftConstants } from './lift-constants.ts';
import { trainableParameters } from './freeze.ts';

const feeds = { x: new OrtTensor('float32', Float32Array.of(1, 2), [2]) };

describe('liftConstants', () => {
  it('makes initialisers of constants in every notation, and changes no result', async () => {
    const graph = new GraphBuilder('constants');
    graph.input('x', 'float32', [2]);
    const weight = tensor('float32', [2], Float32Array.of(3, 4));
    const [w] = graph.node('Constant', [], { value: weight }, { outputs: ['w'] });
    const [b] = graph.node('Constant', [], { value_float: float(0.5) }, { outputs: ['b'] });
    const [c] = graph.node('Constant', [], { value_floats: floats([1, -1]) }, { outputs: ['c'] });
    const [shape] = graph.node('Constant', [], { value_ints: [2, 1] }, { outputs: ['shape'] });
    const [sum] = graph.node('Sum', [graph.node('Mul', ['x', w])[0], b, c]);
    graph.node('Reshape', [sum, shape], {}, { outputs: ['y'] });
    graph.output('y', 'float32', [2, 1]);
    const model = graph.model();
    const before = writeModel(model);
    const folded = liftConstants(model);
    checkModel(folded);
    expect(writeModel(model)).toEqual(before);
    expect(folded.graph!.node.map(({ opType }) => opType)).toEqual(['Mul', 'Sum', 'Reshape']);
    expect(folded.graph!.initializer.map(({ name }) => name)).toEqual(['w', 'b', 'c', 'shape']);
    expect(await ortRun(folded, feeds)).toEqual({ y: [4.5, 7.5] });
    const squared = { loss: { kind: 'mean-squared' } } as const;
    expect(trainableParameters(withLoss(folded, squared))).toEqual(['w', 'c']);
  });

  it('leaves a constant that is an output', async () => {
    const graph = new GraphBuilder('constant');
    graph.node('Constant', [], { value_float: float(2) }, { outputs: ['y'] });
    graph.output('y', 'float32', []);
    expect(await ortRun(liftConstants(graph.model()), {})).toEqual({ y: [2] });
  });

  it('keeps every 64-bit integer as it is', () => {
    const graph = new GraphBuilder('limits');
    graph.node('Constant', [], { value_int: 0 }, { outputs: ['a'] });
    graph.node('Constant', [], { value_ints: [0, 0] }, { outputs: ['b'] });
    graph.node('Concat', ['b', 'b'], { axis: 0 }, { outputs: ['y'] });
    graph.output('y', 'int64', [4]);
    const model = graph.model();
    const [low, high] = [-(2n ** 63n), 2n ** 63n - 1n];
    model.graph!.node[0]!.attribute[0]!.i = high;
    model.graph!.node[1]!.attribute[0]!.ints = [low, high];
    const held = liftConstants(model).graph!.initializer.map((each) =>
      values(tensorOf(each) as NumericTensor),
    );
    expect(held).toEqual([BigInt64Array.of(high), BigInt64Array.of(low, high)]);
  });
});

describe('removeDeadNodes', () => {
  it('removes nodes that no output depends on', async () => {
    const graph = new GraphBuilder('dead');
    graph.input('x', 'float32', [2]);
    graph.initializer('used', tensor('float32', [2], Float32Array.of(1, 1)));
    graph.initializer('unused', tensor('float32', [2], Float32Array.of(1, 1)));
    graph.node('Exp', graph.node('Mul', ['x', 'unused']));
    graph.node('Add', ['x', 'used'], {}, { outputs: ['y'] });
    graph.output('y', 'float32', [2]);
    const pruned = removeDeadNodes(graph.model());
    checkModel(pruned);
    expect(pruned.graph!.node.map(({ opType }) => opType)).toEqual(['Add']);
    expect(pruned.graph!.initializer.map(({ name }) => name)).toEqual(['used']);
    expect(await ortRun(pruned, feeds)).toEqual({ y: [2, 3] });
  });

  it('keeps a value that a body reads before it defines its name', async () => {
    const body = new GraphBuilder('body');
    const [copied] = body.node('Neg', ['x'], {}, { outputs: ['z'] });
    body.node('Neg', [copied], {}, { outputs: ['x'] });
    body.output('x', 'float32', [2]);
    const graph = new GraphBuilder('hiding');
    graph.input('flag', 'bool', []);
    graph.initializer('x', tensor('float32', [2], Float32Array.of(1, 1)));
    const branch = { graph: body };
    graph.node('If', ['flag'], { then_branch: branch, else_branch: branch }, { outputs: ['y'] });
    graph.output('y', 'float32', [2]);
    const pruned = removeDeadNodes(graph.model());
    expect(pruned.graph!.initializer.map(({ name }) => name)).toEqual(['x']);
  });

  it('prunes bodies, and keeps no node for an output without a name', () => {
    const body = new GraphBuilder('body');
    body.initializer('spare', tensor('float32', [1], Float32Array.of(1)));
    body.node('Exp', ['unread'], {}, { outputs: ['dead'] });
    body.node('Neg', ['x'], {}, { outputs: ['z'] });
    body.output('z', 'float32', [2]);
    const graph = new GraphBuilder('dead bodies');
    graph.input('x', 'float32', [2]);
    graph.input('flag', 'bool', []);
    graph.node('Exp', ['x'], {}, { outputs: ['unread'] });
    graph.node('Dropout', ['x'], {}, { outputs: ['unused', ''] });
    const branch = { graph: body };
    graph.node('If', ['flag'], { then_branch: branch, else_branch: branch }, { outputs: ['c'] });
    graph.node('Clip', ['c', '', ''], {}, { outputs: ['y'] });
    graph.output('y', 'float32', [2]);
    const pruned = removeDeadNodes(graph.model());
    expect(pruned.graph!.node.map(({ opType }) => opType)).toEqual(['If', 'Clip']);
    const kept = pruned.graph!.node[0]!.attribute[0]!.g!;
    expect(kept.node.map(({ opType }) => opType)).toEqual(['Neg']);
    expect(kept.initializer).toEqual([]);
  });

  it('keeps values that only a branch of If reads', () => {
    const pruned = removeDeadNodes(branching());
    checkModel(pruned);
    expect(pruned.graph!.initializer.map(({ name }) => name)).toEqual(['one']);
  });
});

describe('trainableParameters', () => {
  const model = withLoss(mlp({ sizes: [2, 3, 1], seed: 1 }), { loss: { kind: 'huber' } });

  it('leaves out parameters that a pattern matches', () => {
    expect(trainableParameters(model)).toEqual([
      'layer0.weight',
      'layer0.bias',
      'layer1.weight',
      'layer1.bias',
    ]);
    expect(trainableParameters(model, [/^layer0\./g])).toEqual(['layer1.weight', 'layer1.bias']);
  });

  it('leaves out running statistics', () => {
    const graph = new GraphBuilder('normalised');
    graph.input('x', 'float32', ['n', 2]);
    for (const name of ['scale', 'shift', 'mean', 'variance']) {
      graph.initializer(name, tensor('float32', [2], Float32Array.of(1, 1)));
    }
    const inputs = ['x', 'scale', 'shift', 'mean', 'variance'];
    graph.node('BatchNormalization', inputs, {}, { outputs: ['y'] });
    graph.output('y', 'float32', ['n', 2]);
    const of = withLoss(graph.model(), { loss: { kind: 'mean-squared' } });
    expect(trainableParameters(of)).not.toContain('mean');
    expect(trainableParameters(of)).not.toContain('variance');
  });

  it('refuses a pattern that matches no parameter, and one that matches all of them', () => {
    expect(() => trainableParameters(model, [/encoder/])).toThrow(
      'No parameter matches /encoder/. There are: layer0.weight, layer0.bias, layer1.weight, layer1.bias.',
    );
    expect(() => trainableParameters(model, [/./])).toThrow('nothing to train');
  });
});
