import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../model/builder.ts';
import { mlp } from '../layers/mlp.ts';
import { readModel } from '../model/model.ts';
import { tensor, type Dimension } from '../tensor/tensor.ts';
import { realModels } from '../testing/real-models.ts';
import { inferShapes } from './inference.ts';
import { ceilDivide, floorDivide, plus, product, quotient, sum } from './size.ts';

const int64 = (...list: number[]) =>
  tensor('int64', [list.length], BigInt64Array.from(list, BigInt));

/** The inferred shape of the graph that `write` makes of x. */
function shapeOf(sizes: readonly Dimension[], write: (graph: GraphBuilder) => string) {
  const graph = new GraphBuilder('shapes');
  graph.input('x', 'float32', sizes);
  const name = write(graph);
  return inferShapes(graph.model()).get(name)?.shape;
}

describe('inferShapes', () => {
  it('keeps symbols through layers', () => {
    const shapes = inferShapes(mlp({ sizes: [4, 3, 2], seed: 1 }));
    expect(shapes.get('y')).toEqual({ name: 'y', type: 'float32', shape: ['batch', 2] });
  });

  it('follows shapes that the graph computes, as exported models do', () => {
    const flat = shapeOf(['batch', 3, 4], (graph) => {
      graph.initializer('zero', tensor('int64', [], BigInt64Array.of(0n)));
      graph.initializer('axes', int64(0));
      graph.initializer('rest', int64(-1));
      const [size] = graph.node('Gather', [graph.node('Shape', ['x'])[0], 'zero'], { axis: 0 });
      const [list] = graph.node('Concat', [graph.node('Unsqueeze', [size, 'axes'])[0], 'rest'], {
        axis: 0,
      });
      return graph.node('Reshape', ['x', list])[0];
    });
    expect(flat).toEqual(['batch', 12]);
  });

  it.each(['Add', 'Sub', 'Mul', 'Div', 'Mod', 'Max'])('follows %s of an empty list', (operator) => {
    const scalar = shapeOf([6, 'n'], (graph) => {
      graph.initializer('two', int64(2));
      graph.initializer('zero', int64(0));
      const [sizes] = graph.node('Shape', ['x']);
      const [none] = graph.node('Slice', [sizes, 'two', 'two', 'zero']);
      const [size] = graph.node('Gather', [sizes, 'zero']);
      return graph.node('ConstantOfShape', [graph.node(operator, [none, size])[0]])[0];
    });
    expect(scalar).toEqual([]);
  });

  it('follows remainders of sizes, with which PyTorch splits an axis', () => {
    const split = shapeOf([6, 5], (graph) => {
      graph.initializer('four', int64(4));
      const [rest] = graph.node('Mod', [graph.node('Shape', ['x'])[0], 'four']);
      return graph.node('ConstantOfShape', [rest])[0];
    });
    expect(split).toEqual([2, 1]);
  });

  it('follows lists with several axes in their order, or not at all', () => {
    /** The sizes of a tensor that a graph fills by a list of the sizes of x, [2, 5, 3]. */
    const filled = (list: (graph: GraphBuilder, sizes: string) => string) =>
      shapeOf([2, 5, 3], (graph) => {
        graph.initializer('flat', int64(-1));
        const [sizes] = graph.node('Shape', ['x']);
        const [flat] = graph.node('Reshape', [list(graph, sizes), 'flat']);
        return graph.node('ConstantOfShape', [flat])[0];
      });
    const column = (graph: GraphBuilder, sizes: string) => {
      graph.initializer('one', int64(1));
      return graph.node('Unsqueeze', [sizes, 'one'])[0];
    };
    const row = (graph: GraphBuilder, sizes: string) => {
      graph.initializer('zero', int64(0));
      return graph.node('Unsqueeze', [sizes, 'zero'])[0];
    };
    const pairs = filled((graph, sizes) => {
      const each = column(graph, sizes);
      return graph.node('Concat', [each, each], { axis: 1 })[0];
    });
    expect(pairs).toEqual([2, 2, 5, 5, 3, 3]);
    const rows = filled((graph, sizes) => {
      const each = row(graph, sizes);
      return graph.node('Concat', [each, each], { axis: 0 })[0];
    });
    expect(rows).toEqual([2, 5, 3, 2, 5, 3]);
    const picked = filled((graph, sizes) => {
      const each = row(graph, sizes);
      return graph.node('Gather', [each, 'zero'], { axis: 0 })[0];
    });
    expect(picked).toHaveLength(3);
    expect(picked).not.toEqual([2, 2, 2]);
    const products = filled(
      (graph, sizes) => graph.node('Mul', [row(graph, sizes), column(graph, sizes)])[0],
    );
    expect(products).toHaveLength(9);
  });

  it('follows the sizes of expand(-1, -1, 5), as PyTorch exports them', () => {
    const shape = shapeOf(['batch', 4, 1], (graph) => {
      graph.initializer('sizes', int64(-1, -1, 5));
      graph.initializer('rank', int64(3));
      const [ones] = graph.node('ConstantOfShape', ['rank'], { value: int64(1) });
      graph.initializer('minus', int64(-1));
      const [open] = graph.node('Equal', ['sizes', graph.node('Mul', [ones, 'minus'])[0]]);
      return graph.node('Expand', ['x', graph.node('Where', [open, ones, 'sizes'])[0]])[0];
    });
    expect(shape).toEqual(['batch', 4, 5]);
  });

  it.each([
    ['Equal', -1, ['batch'], 1],
    ['Equal', 4, ['batch'], null],
    ['Equal', 3, [3], 2],
  ])('infers of %s with %i and a size of %j what can be known', (operator, number, sizes, size) => {
    const shape = shapeOf(sizes, (graph) => {
      graph.initializer('number', int64(number));
      const [same] = graph.node(operator, [graph.node('Shape', ['x'])[0], 'number']);
      graph.initializer('one', int64(1));
      graph.initializer('two', int64(2));
      const [chosen] = graph.node('Where', [same, 'two', 'one']);
      return graph.node('ConstantOfShape', [chosen])[0];
    });
    expect(shape).toEqual([size]);
  });

  it.each(['Add', 'Sub', 'Mul', 'Div', 'Mod'])(
    'does not follow %s of integers that a number would round',
    (operator) => {
      const shape = shapeOf([2], (graph) => {
        graph.initializer('limit', tensor('int64', [1], BigInt64Array.of(2n ** 63n - 1n)));
        graph.initializer('number', tensor('int64', [1], BigInt64Array.of(2n ** 61n)));
        const [result] = graph.node(operator, ['limit', 'number']);
        return graph.node('ConstantOfShape', [result])[0];
      });
      expect(shape).toEqual([null]);
    },
  );

  it('distinguishes sizes that must be equal from sizes that may be equal', () => {
    const added = (a: Dimension, b: Dimension) => {
      const graph = new GraphBuilder('add');
      graph.input('a', 'float32', [a]);
      graph.input('b', 'float32', [b]);
      const [y] = graph.node('Add', ['a', 'b']);
      return inferShapes(graph.model()).get(y)!.shape;
    };
    expect(added('n', 'n')).toEqual(['n']);
    expect(added('n', 1)).toEqual(['n']);
    expect(added('n', 5)).toEqual([5]);
    expect(added('n', 'm')).toEqual([null]);
    expect(added(null, null)).toEqual([null]);
  });

  it('aligns the axes of an ellipsis at their end', () => {
    const shape = shapeOf(['n', 1, 3, 4], (graph) => {
      graph.input('w', 'float32', [5, 4, 6]);
      return graph.node('Einsum', ['x', 'w'], { equation: '...ij,...jk->...ik' })[0];
    });
    expect(shape).toEqual(['n', 5, 3, 6]);
  });

  it.each<[Dimension[], Dimension[]]>([
    [
      ['n', 2],
      [1, 2],
    ],
    [
      [1, 2],
      ['n', 2],
    ],
  ])('broadcasts %j and %j in an ellipsis', (left, right) => {
    const shape = shapeOf(left, (graph) => {
      graph.input('w', 'float32', right);
      return graph.node('Einsum', ['x', 'w'], { equation: '...i,...i->...' })[0];
    });
    expect(shape).toEqual(['n']);
  });

  it('computes with symbols', () => {
    expect(shapeOf(['n', 2, 3], (graph) => graph.node('Flatten', ['x'], { axis: 2 })[0])).toEqual([
      '2*n',
      3,
    ]);
    expect(shapeOf(['n', 2], (graph) => graph.node('Concat', ['x', 'x'], { axis: 1 })[0])).toEqual([
      'n',
      4,
    ]);
  });

  it.each([
    [
      'MatMul',
      [2, 3],
      [4, 5],
      "Node 'odd' (MatMul): [2, 3] times [4, 5]: the inner sizes 3 and 4 differ.",
    ],
    [
      'Add',
      [2, 3],
      [4],
      "Node 'odd' (Add): the shapes [2, 3] and [4] cannot be broadcast together.",
    ],
    [
      'Concat',
      [2, 3],
      [4, 4],
      "Node 'odd' (Concat): [2, 3] and [4, 4] cannot be joined along axis 0.",
    ],
  ])('refuses a %s that can never run', (operator, a, b, message) => {
    const graph = new GraphBuilder('odd');
    graph.input('a', 'float32', a);
    graph.input('b', 'float32', b);
    graph.node(operator, ['a', 'b'], operator === 'Concat' ? { axis: 0 } : {}, { name: 'odd' });
    expect(() => inferShapes(graph.model())).toThrow(message);
  });

  it.each(realModels)('has a rule for every operator of $name', ({ path }) => {
    const model = readModel(readFileSync(path));
    const known = inferShapes(model);
    const { node, initializer } = model.graph!;
    const sees = new Set([...known.keys(), ...initializer.map(({ name }) => name), '']);
    // The first unknown values: all inputs of the node are known, and an output is not.
    const gaps = node.filter(
      ({ input, output }) => input.every((name) => sees.has(name)) && !sees.has(output[0]!),
    );
    expect(gaps.map(({ opType }) => opType).filter((opType) => opType !== 'If')).toEqual([]);
  });
});

describe('sizes', () => {
  /** Expressions over n and m with their value at n = 60, m = 84. */
  const size = fc.constantFrom<[number | string, number]>(
    [1, 1],
    [6, 6],
    ['n', 60],
    ['m', 84],
    ['2*n', 120],
  );
  const valueOf = (expression: number | string): number =>
    typeof expression === 'number' ? expression : evaluate(expression);

  it('evaluate to the expected numbers', () =>
    fc.assert(
      fc.property(size, size, fc.integer({ min: -3, max: 3 }), ([a, x], [b, y], n) => {
        expect(valueOf(product([a, b]))).toBe(x * y);
        expect(valueOf(plus(plus(product([a, b]), n), -n))).toBe(x * y);
        expect(valueOf(sum([a, b, n]))).toBe(x + y + n);
        expect(valueOf(floorDivide(plus(a, n), 2))).toBe(Math.floor((x + n) / 2) + 0);
        expect(valueOf(ceilDivide(plus(a, n), 2))).toBe(Math.floor((x + n + 1) / 2));
        expect(quotient([a, b], [b])).toEqual(a);
      }),
      { seed: 3 },
    ));
});

/** A tiny evaluator with integer division that rounds down. */
function evaluate(text: string): number {
  let at = 0;
  const atom = (): number => {
    if (text[at] === '(') {
      at++;
      const inner = expression();
      at++;
      return inner;
    }
    const [token] = /^-?\d+|^[nm]/.exec(text.slice(at))!;
    at += token.length;
    if (token === 'n') return 60;
    return token === 'm' ? 84 : Number(token);
  };
  const term = (): number => {
    let value = atom();
    while (text[at] === '*' || text[at] === '/') {
      const operator = text[at++];
      const right = atom();
      value = operator === '*' ? value * right : Math.floor(value / right);
    }
    return value;
  };
  const expression = (): number => {
    let value = term();
    while (text[at] === '+') {
      at++;
      value += term();
    }
    return value;
  };
  return expression();
}
