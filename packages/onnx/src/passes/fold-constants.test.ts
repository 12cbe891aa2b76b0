import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attribute } from '../model/attribute.ts';
import { GraphBuilder } from '../model/builder.ts';
import { checkModel } from '../model/check.ts';
import type { Model } from '../model/model.ts';
import { elementTypeNumber } from '../tensor/element-type.ts';
import {
  elementCount,
  tensor,
  values,
  type NumericTensor,
  type NumericType,
  type Tensor,
} from '../tensor/tensor.ts';
import { OrtTensor } from '../testing/ort.ts';
import { tensorOfNumbers } from '../tensor/numbers.ts';
import { foldConstants } from './fold-constants.ts';
import { outputsOf } from './testing/runs.ts';

type Attributes = Readonly<Record<string, Attribute>>;

/** One node of constants; `given` has the same numbers as inputs, so that a runtime computes it. */
function nodeOf(
  operator: string,
  inputs: readonly Tensor[],
  attributes: Attributes,
  given: boolean,
): Model {
  const graph = new GraphBuilder(operator);
  const names = inputs.map((value, i) =>
    // Axes and ranges are constants in both.
    given && i === 0
      ? graph.input(`c${i}`, value.type, value.shape)
      : graph.initializer(`c${i}`, value),
  );
  const [result] = graph.node(operator, names, attributes, { outputs: ['r'] });
  graph.node('Identity', [result], {}, { outputs: ['y'] });
  graph.output('y', typeOf(operator, inputs, attributes), []);
  const output = graph.graph().output[0]!.type!.value;
  if (output.case === 'tensorType') delete output.value.shape;
  return graph.model();
}

function typeOf(operator: string, [first]: readonly Tensor[], attributes: Attributes): NumericType {
  if (operator === 'Cast')
    return TYPES.find((each) => elementTypeNumber(each) === attributes['to'])!;
  return first!.type as NumericType;
}

const TYPES = ['float32', 'float64', 'int64', 'int32', 'uint8', 'bool', 'float16'] as const;

const shape = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
const floatsOf = (dims: readonly number[], type: 'float32' | 'float64' = 'float32') =>
  fc
    .array(fc.float({ noNaN: true }), {
      minLength: elementCount(dims),
      maxLength: elementCount(dims),
    })
    .map((numbers) => tensorOfNumbers(type, dims, numbers));
const ints = (...list: readonly number[]) =>
  tensor('int64', [list.length], BigInt64Array.from(list, BigInt));
const at = fc.integer({ min: -5, max: 5 });

type Sample = readonly [inputs: readonly Tensor[], attributes?: Attributes];
type Case = fc.Arbitrary<Sample>;

const arithmetic: Case = shape.chain((dims) =>
  fc
    .tuple(
      fc.constantFrom('float32' as const, 'float64' as const),
      fc.nat(dims.length),
      fc.boolean(),
    )
    .chain(([type, dropped, swapped]) =>
      fc
        .tuple(
          floatsOf(dims, type),
          floatsOf(
            dims.slice(dropped).map((size, i) => (i % 2 ? 1 : size)),
            type,
          ),
        )
        .map((pair) => [swapped ? pair.toReversed() : pair] as const),
    ),
);

const CASES: Readonly<Record<string, Case>> = {
  Add: arithmetic,
  Sub: arithmetic,
  Mul: arithmetic,
  Div: arithmetic,
  Neg: shape.chain(floatsOf).map((x) => [[x]] as const),
  Sqrt: shape.chain(floatsOf).map((x) => [[x]] as const),
  Not: fc
    .array(fc.nat(1), { minLength: 1 })
    .map((list) => [[tensorOfNumbers('bool', [list.length], list)]] as const),
  Cast: fc
    .tuple(
      fc.array(fc.oneof(fc.integer({ min: -300, max: 300 }), fc.float({ noNaN: true })), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.constantFrom(...TYPES),
    )
    .map(
      ([list, type]) =>
        [
          [tensorOfNumbers('float32', [list.length], list)],
          { to: elementTypeNumber(type) },
        ] as const,
    ),
  Transpose: shape.chain((dims) =>
    fc
      .tuple(
        floatsOf(dims),
        fc.shuffledSubarray(
          dims.map((_, i) => i),
          { minLength: dims.length },
        ),
      )
      .map(([x, perm]) => [[x], { perm }] as const),
  ),
  Concat: shape.chain((dims) =>
    fc
      .tuple(floatsOf(dims), floatsOf(dims.with(dims.length - 1, 2)), fc.boolean())
      .map(([a, b, isLast]) => [[a, b], { axis: isLast ? -1 : dims.length - 1 }] as const),
  ),
  Slice: shape.chain((dims) =>
    fc
      .tuple(floatsOf(dims), at, at, fc.nat(dims.length - 1), fc.constantFrom(1, 2, -1, -2))
      .map(
        ([x, from, to, axis, step]) => [[x, ints(from), ints(to), ints(axis), ints(step)]] as const,
      ),
  ),
  Gather: shape.chain((dims) =>
    fc.nat(dims.length - 1).chain((axis) =>
      fc
        .tuple(
          floatsOf(dims),
          fc.array(fc.integer({ min: -dims[axis]!, max: dims[axis]! - 1 }), {
            minLength: 1,
            maxLength: 4,
          }),
        )
        .map(([x, list]) => [[x, ints(...list)], { axis }] as const),
    ),
  ),
  Reshape: shape.chain(floatsOf).map((x) => [[x, ints(-1, 1)]] as const),
  Squeeze: shape.chain((dims) => floatsOf([1, ...dims])).map((x) => [[x, ints(0)]] as const),
  Unsqueeze: shape.chain(floatsOf).map((x) => [[x, ints(-1)]] as const),
  Flatten: shape.chain(floatsOf).map((x) => [[x], { axis: 1 }] as const),
  Identity: shape.chain(floatsOf).map((x) => [[x]] as const),
};

describe('a node of constants has the bits that ONNX Runtime computes', () => {
  it.each(Object.entries(CASES))('%s', async (operator, cases) => {
    let folded = 0;
    const check = async ([inputs, attributes = {}]: Sample) => {
      const small = foldConstants(nodeOf(operator, inputs, attributes, false));
      checkModel(small);
      // Results that are not numbers, or not exact, are left to the runtime.
      if (small.graph!.node.length === 2) return;
      folded++;
      const [first] = inputs as readonly [NumericTensor];
      const data = values({ ...first, bytes: first.bytes.slice() }) as Float32Array;
      const feeds = { c0: new OrtTensor(first.type as 'float32', data, [...first.shape]) };
      const computed = nodeOf(operator, inputs, attributes, true);
      expect(await outputsOf(small, {}, 'disabled')).toEqual(
        await outputsOf(computed, feeds, 'disabled'),
      );
    };
    await fc.assert(fc.asyncProperty(cases, check), { numRuns: 60, seed: 39 });
    expect(folded).toBeGreaterThan(5);
  });
});

describe('shapes and weights', () => {
  const large = tensor('float32', [64, 32], Float32Array.from({ length: 2048 }, Math.sin));

  it('are computed where sizes are fixed, and left where they are not', () => {
    const graph = new GraphBuilder('shapes');
    graph.input('x', 'float32', ['n', 3, 4]);
    const [sizes] = graph.node('Shape', ['x'], {}, { outputs: ['sizes'] });
    graph.initializer('last', ints(2));
    graph.initializer('first', ints(0));
    const [width] = graph.node('Gather', [sizes, 'last'], {}, { outputs: ['width'] });
    const [count] = graph.node('Gather', [sizes, 'first'], {}, { outputs: ['count'] });
    graph.node('Concat', [count, width], { axis: 0 }, { outputs: ['y'] });
    graph.output('y', 'int64', [2]);
    const small = foldConstants(graph.model());
    expect(small.graph!.node.map(({ output }) => output[0])).toEqual(['sizes', 'count', 'y']);
    expect(small.graph!.initializer.map(({ name }) => name)).toContain('width');
  });

  it('that names of sizes only state are left to the runtime', () => {
    const graph = new GraphBuilder('named');
    graph.input('a', 'float32', ['n']);
    graph.input('b', 'float32', ['n']);
    const sizes = ['a', 'b'].map((name) => graph.node('Shape', [name])[0]);
    graph.node('Equal', sizes, {}, { outputs: ['same'] });
    graph.node('Identity', ['same'], {}, { outputs: ['y'] });
    graph.output('y', 'bool', [1]);
    expect(foldConstants(graph.model()).graph!.node).toHaveLength(4);
  });

  it('of constants that do not fit together are left to the runtime', () => {
    const graph = new GraphBuilder('unfit');
    const row = graph.initializer('row', tensor('int64', [1, 3], BigInt64Array.of(1n, 2n, 3n)));
    const one = graph.initializer('one', tensor('int64', [1], BigInt64Array.of(1n)));
    graph.node('Concat', [one, one, row], { axis: 0 }, { outputs: ['y'] });
    graph.output('y', 'int64', ['n']);
    expect(foldConstants(graph.model()).graph!.node).toHaveLength(1);
  });

  it('that wrap around are left to the runtime', async () => {
    const graph = new GraphBuilder('wrapping');
    const most = graph.initializer('most', tensor('int32', [1], Int32Array.of(2 ** 31 - 1)));
    const one = graph.initializer('one', tensor('int32', [1], Int32Array.of(1)));
    const [sum] = graph.node('Add', [most, one], {}, { outputs: ['sum'] });
    graph.node('Less', [sum, one], {}, { outputs: ['y'] });
    graph.output('y', 'bool', [1]);
    const model = graph.model();
    expect(await outputsOf(foldConstants(model), {})).toEqual(await outputsOf(model, {}));
    expect(foldConstants(model).graph!.node).toHaveLength(2);
  });

  it.each([true, false])(
    'that are large are rearranged only where they are not kept: %s',
    (isKept) => {
      const graph = new GraphBuilder('tied');
      graph.input('x', 'float32', ['n', 32]);
      graph.input('i', 'int64', [1]);
      const w = graph.initializer('w', large);
      const [turned] = graph.node('Transpose', [w], {}, { outputs: ['turned'] });
      graph.node('MatMul', ['x', turned], {}, { outputs: ['y'] });
      graph.output('y', 'float32', ['n', 64]);
      if (isKept) {
        graph.node('Gather', [w, 'i'], {}, { outputs: ['z'] });
        graph.output('z', 'float32', [1, 32]);
      }
      const operators = foldConstants(graph.model()).graph!.node.map(({ opType }) => opType);
      expect(operators).toEqual(isKept ? ['Transpose', 'MatMul', 'Gather'] : ['MatMul']);
    },
  );

  it('that double at every node end at a bound', () => {
    const graph = new GraphBuilder('doubling');
    let name = graph.initializer('w', tensor('float32', [1024], new Float32Array(1024)));
    for (let i = 0; i < 64; i++) [name] = graph.node('Concat', [name, name], { axis: 0 });
    graph.node('Neg', [name], {}, { outputs: ['y'] });
    graph.output('y', 'float32', [null]);
    const bytes = foldConstants(graph.model()).graph!.initializer.map(
      ({ rawData }) => rawData.length,
    );
    expect(bytes.reduce((sum, each) => sum + each)).toBeLessThan(2 ** 21);
  });
});
