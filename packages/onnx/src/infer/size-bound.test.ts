import { describe, expect, it } from 'vitest';
import { mlp } from '../layers/mlp.ts';
import { GraphBuilder } from '../model/builder.ts';
import type { Model } from '../model/model.ts';
import { stringTensor, tensor, type Dimension } from '../tensor/tensor.ts';
import { isSizeBound } from './size-bound.ts';

/** A graph over x, and the sizes that the file states of it. */
function model(
  between: (graph: GraphBuilder, x: string) => string,
  x: readonly Dimension[] = ['batch', 4],
): Model {
  const graph = new GraphBuilder('bound');
  const y = between(graph, graph.input('x', 'float32', x));
  graph.node('Identity', [y], {}, { outputs: ['y'] });
  graph.output('y', 'float32', [2]);
  return graph.model();
}

const ints = (graph: GraphBuilder, ...list: number[]) =>
  graph.initializer('ints', tensor('int64', [list.length], BigInt64Array.from(list, BigInt)));

describe('the work of a model follows from the sizes of its inputs', () => {
  it('where all its values have sizes that do', () => {
    expect(isSizeBound(mlp({ sizes: [4, 8, 3], seed: 1 }))).toBe(true);
    const unnamed: readonly Dimension[] = [null, null, 3];
    expect(isSizeBound(model((graph, x) => graph.node('Relu', [x])[0], unnamed))).toBe(true);
    // Its sizes are x's, however they are computed.
    const flat = (graph: GraphBuilder, x: string) => graph.node('Reshape', [x, ints(graph, -1)])[0];
    expect(isSizeBound(model(flat))).toBe(true);
  });

  it('but not where a size depends on data, whatever the file states of it', () => {
    const found = (graph: GraphBuilder, x: string) => graph.node('NonZero', [x])[0];
    expect(isSizeBound(model(found))).toBe(false);
    const filled = (graph: GraphBuilder, x: string) => {
      const [sizes] = graph.node('Cast', [x], { to: 7 });
      return graph.node('ConstantOfShape', [sizes])[0];
    };
    expect(isSizeBound(model(filled, [3]))).toBe(false);
    const stated = model(found);
    const [value] = model((_, x) => x, [1, 1]).graph!.input;
    stated.graph!.valueInfo.push({ ...value!, name: stated.graph!.node[0]!.output[0]! });
    expect(isSizeBound(stated)).toBe(false);
  });

  it('and not with loops, branches, texts, functions and operators of others', () => {
    const body = new GraphBuilder('body');
    body.initializer('one', tensor('float32', [1], Float32Array.of(1)));
    body.output('one', 'float32', [1]);
    const branch = { graph: body };
    const branching = (graph: GraphBuilder) => {
      const flag = graph.initializer('flag', tensor('bool', [], Uint8Array.of(1)));
      return graph.node('If', [flag], { then_branch: branch, else_branch: branch })[0];
    };
    expect(isSizeBound(model(branching))).toBe(false);
    const texts = (graph: GraphBuilder) => {
      graph.initializer('texts', stringTensor([1], ['a']));
      return graph.node('Identity', ['texts'])[0];
    };
    expect(isSizeBound(model(texts))).toBe(false);
    const others = model((graph, x) => graph.node('Relu', [x])[0]);
    others.graph!.node[0]!.domain = 'com.example';
    expect(isSizeBound(others)).toBe(false);
  });
});
