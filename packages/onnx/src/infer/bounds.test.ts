import { describe, expect, it } from 'vitest';
import { gradient } from '../gradient/gradient.ts';
import { GraphBuilder } from '../model/builder.ts';
import { tensor, type Dimension } from '../tensor/tensor.ts';
import { inferShapes } from './inference.ts';

/** The shape of what a graph makes of x. */
function shapeOf(
  between: (graph: GraphBuilder, x: string) => string,
  x: readonly Dimension[] = ['batch', 4],
): readonly Dimension[] | undefined {
  const graph = new GraphBuilder('bounds');
  const y = between(graph, graph.input('x', 'float32', x));
  // A size in the file of an output would stand in for what is unknown.
  graph.output(graph.node('Identity', [y])[0], 'float32', []);
  return inferShapes(graph.model()).get(y)?.shape;
}

function ints(graph: GraphBuilder, name: string, ...list: number[]): string {
  return graph.initializer(name, tensor('int64', [list.length], BigInt64Array.from(list, BigInt)));
}

describe('an impossible size', () => {
  it('is refused where it arises, naming the node', () => {
    const less = (graph: GraphBuilder, x: string) => {
      const [shape] = graph.node('Shape', [x]);
      const [negative] = graph.node('Sub', [shape, ints(graph, 'five', 5, 5)]);
      return graph.node('ConstantOfShape', [negative])[0];
    };
    expect(() => shapeOf(less, [2, 4])).toThrow(
      /Node 'ConstantOfShape_2' \(ConstantOfShape\): axis \d would have the size -/,
    );
  });

  it.each([
    ['ConstantOfShape', [-1, 4]],
    ['ConstantOfShape', [2 ** 40, 2 ** 40, 2 ** 62]],
  ])('is refused as a size that %s is given: %j', (operator, sizes) => {
    expect(() => shapeOf((graph) => graph.node(operator, [ints(graph, 's', ...sizes)])[0])).toThrow(
      /would have the size/,
    );
  });

  it('ends a slice with an endless countdown', () => {
    const endless = (graph: GraphBuilder) => {
      const [list] = graph.node('ConstantOfShape', [ints(graph, 's', -3)], {
        value: tensor('int64', [1], BigInt64Array.of(1n)),
      });
      const range = [[-1], [-(2 ** 62)], [0], [-1]].map((each, i) => ints(graph, `r${i}`, ...each));
      return graph.node('Slice', [list, ...range])[0];
    };
    expect(() => shapeOf(endless)).toThrow(/would have the size -3/);
  });
});

describe('a fact that would grow without bound', () => {
  it('is unknown: the elements of a list', () => {
    const doubled = (graph: GraphBuilder, x: string) => {
      let list = ints(graph, 'list', 1);
      for (let i = 0; i < 40; i++) [list] = graph.node('Concat', [list, list], { axis: 0 });
      return graph.node('Expand', [x, list])[0];
    };
    expect(shapeOf(doubled)).toBeUndefined();
  });

  it('is unknown: the symbol of a size', () => {
    const squared = (graph: GraphBuilder, x: string) => {
      let [list] = graph.node('Shape', [x]);
      for (let i = 0; i < 40; i++) [list] = graph.node('Mul', [list, list]);
      return graph.node('ConstantOfShape', [list])[0];
    };
    expect(shapeOf(squared, ['n', 'm'])).toEqual([null, null]);
  });

  it('is unknown: a shape of very many axes', () => {
    const wide = (graph: GraphBuilder, x: string) =>
      graph.node('Reshape', [x, ints(graph, 's', ...Array.from({ length: 100 }, () => 1))])[0];
    expect(shapeOf(wide, [1])).toBeUndefined();
  });
});

it('no gradient makes constants of a size that a file chooses', () => {
  const graph = new GraphBuilder('resize');
  const x = graph.input('x', 'float32', [1, 1, 2 ** 20, 1]);
  const scales = tensor('float32', [4], Float32Array.of(1, 1, 1.5, 1));
  const [y] = graph.node('Resize', [x, '', graph.initializer('scales', scales)], {
    mode: 'linear',
  });
  const [loss] = graph.node('ReduceMean', [y], { keepdims: 0 });
  graph.output(loss, 'float32', []);
  expect(() => gradient(graph.model(), { loss, parameters: [], inputs: [x] })).toThrow(
    /cannot be differentiated: its constants would have more than 16777216 elements/,
  );
});
