/**
 * Models before and after their operator set is raised, bit by bit on ONNX Runtime: with optimisation
 * `disabled`, because its fusions depend on the operator set.
 */
import { describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { float, floats, type Attribute } from '../../model/attribute.ts';
import { GraphBuilder } from '../../model/builder.ts';
import { checkModel } from '../../model/check.ts';
import { opsetOf, readModel, writeModel, type Model } from '../../model/model.ts';
import { whyAbsent } from '../../opsets.ts';
import { feedsOf, modelOf } from '../../operators/testing/finite-difference.ts';
import { smallCases } from '../../operators/testing/small-cases.ts';
import { tensor } from '../../tensor/tensor.ts';
import { elementTypeOf } from '../../tensor/element-type.ts';
import { casesOf, type Case } from '../../testdata/testing/cases.ts';
import { ortRun, OrtTensor } from '../../testing/ort.ts';
import { distinctNames } from '../distinct-names.ts';
import { specialise } from '../specialise.ts';
import { feedsOfCase, outputsOf, type Feeds } from '../testing/runs.ts';
import { raiseOpset } from './raise-opset.ts';

async function expectSame(model: Model, feeds: Feeds, target = 21): Promise<void> {
  const raised = raiseOpset(model, target);
  checkModel(raised);
  expect(opsetOf(raised)).toBe(target);
  expect(await outputsOf(raised, feeds, 'disabled')).toEqual(
    await outputsOf(model, feeds, 'disabled'),
  );
}

/** ONNX Runtime's kernel since opset 19 adds the elements of a window in another order. */
const EXACT_UNTIL: Readonly<Record<string, number>> = { AveragePool: 18 };

describe('the operators that have a gradient', () => {
  it.each(Object.entries(smallCases))('%s', async (operator, of) => {
    const opsets = Array.from({ length: 14 }, (_, i) => 7 + i);
    for (const opset of opsets.filter((each) => whyAbsent('', operator, each) === undefined)) {
      const whole = { ...of(opset), operator, opset };
      const precision = whole.precision ?? 'float32';
      const feeds = feedsOf(whole, precision);
      const model = modelOf(whole, precision, false);
      const runs = await outputsOf(model, feeds).then(
        () => true,
        () => false,
      );
      // Cases are written for opset 9 and newer.
      if (!runs && opset < 9) continue;
      const targets = [13, 18, 21].filter((target) => target > opset);
      for (const target of targets.filter((each) => each <= (EXACT_UNTIL[operator] ?? 21))) {
        await expectSame(model, feeds, target);
        const isGroup = operator === 'GroupNormalization';
        if (!isGroup) await expectSame(modelOf(whole, precision, true), feeds, target);
      }
    }
  });

  it('AveragePool has nearly the same outputs in opset 21', async () => {
    const whole = { ...smallCases['AveragePool']!(11), operator: 'AveragePool', opset: 11 };
    const model = modelOf(whole, 'float32', false);
    const feeds = feedsOf(whole, 'float32');
    const [before, after] = [
      await ortRun(model, feeds),
      await ortRun(raiseOpset(model, 21), feeds),
    ];
    for (const [i, value] of before['y0']!.entries()) {
      expect(after['y0']![i]).toBeCloseTo(value, 6);
    }
  });
});

const data = requireComponent('libonnx-testdata');

/** A batch of sequences, and scales that are an input, have no form in opset 21. */
const REFUSED = ['node/test_scan_sum/model.onnx', 'node/test_upsample_nearest/model.onnx'];
/** Their Range reads lists of one element, which ONNX Runtime refuses where it sees their shape. */
const RANGES = /^node\/test_affine_grid_2d(_align_corners)?_expanded\//;

describe.skipIf(data.skip)("the ONNX project's cases", () => {
  it('have the same bits, also when they are specialised', async () => {
    let compared = 0;
    const refused: string[] = [];
    const different: string[] = [];
    for (const each of casesOf('{node,simple,pytorch-converted,pytorch-operator}/**/*.onnx')) {
      const model = readModel(each.bytes);
      const opset = opsetOf(model) ?? 0;
      const feeds = opset >= 7 && opset < 21 ? feedsOfServed(each, model) : undefined;
      const before = feeds && (await outputsOf(model, feeds, 'disabled').catch(() => undefined));
      if (before === undefined) continue;
      compared++;
      if (REFUSED.includes(each.name)) {
        expect(() => specialise(model, { exact: true })).toThrow(/node of '[yY]' cannot be raised/);
        refused.push(each.name);
        continue;
      }
      const variants = [raiseOpset(distinctNames(model), 21)];
      if (!RANGES.test(each.name)) variants.push(specialise(model, { exact: true }));
      for (const variant of variants) {
        const after = await outputsOf(variant, feeds!, 'disabled');
        if (JSON.stringify(after) !== JSON.stringify(before)) different.push(each.name);
      }
    }
    expect(different).toEqual([]);
    expect(refused).toEqual(REFUSED);
    expect(compared).toBeGreaterThan(800);
  }, 120_000);
});

/** Undefined where the JavaScript of ONNX Runtime cannot hold an output. */
function feedsOfServed(each: Case, model: Model): Feeds | undefined {
  const served = model.graph!.output.every(({ type }) => {
    const element = type?.value.case === 'tensorType' ? type.value.value.elemType : 0;
    const name = elementTypeOf(element);
    return name !== undefined && name !== 'bfloat16';
  });
  return served ? feedsOfCase(each, model) : undefined;
}

describe('a change of an operator', () => {
  const x = new OrtTensor(
    'float32',
    Float32Array.from({ length: 48 }, (_, i) => Math.sin(7 * i)),
    [1, 3, 4, 4],
  );

  /** One node on x of an open shape. */
  function oneNode(
    operator: string,
    opset: number,
    attributes: Readonly<Record<string, Attribute>>,
    options: { inputs?: (graph: GraphBuilder) => string[]; outputs?: readonly string[] } = {},
  ): Model {
    const graph = new GraphBuilder(operator);
    graph.input('x', 'float32', [null, 3, null, null]);
    const inputs = ['x', ...(options.inputs?.(graph) ?? [])];
    const outputs = options.outputs ?? ['y'];
    graph.node(operator, inputs, attributes, { outputs, name: 'changed' });
    for (const name of outputs) graph.output(name, 'float32', [null, null, null, null]);
    const model = graph.model({ opset, irVersion: 4 });
    for (const { type } of model.graph!.output) {
      if (type?.value.case === 'tensorType') delete type.value.value.shape;
    }
    return model;
  }

  const list = (numbers: readonly number[]) => (graph: GraphBuilder) => [
    graph.initializer('list', tensor('float32', [numbers.length], Float32Array.from(numbers))),
  ];

  const unchanged: readonly (readonly [string, Model])[] = [
    ...[-1, 0, 1, 2, 3].flatMap((axis) =>
      ['Softmax', 'LogSoftmax', 'Hardmax'].map(
        (name) => [`${name} of axis ${axis}`, oneNode(name, axis < 0 ? 11 : 7, { axis })] as const,
      ),
    ),
    ['Softmax of the default axis', oneNode('Softmax', 9, {})],
    ['Clip without bounds', oneNode('Clip', 7, {})],
    ['Clip of one bound', oneNode('Clip', 9, { max: float(0.25) })],
    [
      'Pad with a number',
      oneNode('Pad', 10, { pads: [0, 0, 1, 2, 0, 0, 0, 1], value: float(1.5) }),
    ],
    ['Pad by reflection', oneNode('Pad', 7, { pads: [0, 0, 1, 2, 0, 0, 0, 1], mode: 'reflect' })],
    ['Slice without axes', oneNode('Slice', 9, { starts: [0, 1], ends: [1, -1] })],
    ['Slice of axes', oneNode('Slice', 7, { starts: [1, -3], ends: [9, -1], axes: [3, 2] })],
    ['Split in equal parts', oneNode('Split', 11, { axis: 2 }, { outputs: ['y', 'z'] })],
    ['Split in sizes', oneNode('Split', 9, { axis: 1, split: [1, 2] }, { outputs: ['y', 'z'] })],
    ['Squeeze of all', oneNode('Squeeze', 11, {})],
    ['ReduceMean of all', oneNode('ReduceMean', 11, { keepdims: 0 })],
    ['ReduceSum of axes', oneNode('ReduceSum', 11, { axes: [1, 3], keepdims: 0 })],
    ['Dropout', oneNode('Dropout', 7, { ratio: float(0.5) })],
    [
      'BatchNormalization',
      oneNode(
        'BatchNormalization',
        7,
        { spatial: 1 },
        {
          inputs: (graph) =>
            ['s', 'b', 'm', 'v'].map((name, i) =>
              graph.initializer(name, tensor('float32', [3], Float32Array.of(i + 1, 2, 0.5))),
            ),
        },
      ),
    ],
    ...['nearest', 'linear'].flatMap((mode) => [
      [
        `Upsample by ${mode}`,
        oneNode('Upsample', 7, { mode, scales: floats([1, 1, 2.5, 3]) }),
      ] as const,
      [
        `Upsample by ${mode}, scales given`,
        oneNode('Upsample', 9, { mode }, { inputs: list([1, 1, 2, 1.5]) }),
      ] as const,
      [
        `Resize by ${mode}, smaller`,
        oneNode('Resize', 10, { mode }, { inputs: list([1, 1, 0.6, 0.5]) }),
      ] as const,
    ]),
    [
      'Resize by coordinates',
      oneNode(
        'Resize',
        11,
        { mode: 'cubic' },
        {
          inputs: (graph) => [
            graph.initializer('roi', tensor('float32', [0], new Float32Array())),
            ...list([1, 1, 1.5, 2])(graph),
          ],
        },
      ),
    ],
    [
      'RoiAlign',
      oneNode(
        'RoiAlign',
        10,
        { output_height: 2, output_width: 2 },
        {
          inputs: (graph) => [
            graph.initializer('rois', tensor('float32', [1, 4], Float32Array.of(0, 0, 2.5, 3))),
            graph.initializer('at', tensor('int64', [1], BigInt64Array.of(0n))),
          ],
        },
      ),
    ],
    [
      'GridSample',
      oneNode(
        'GridSample',
        16,
        { mode: 'bicubic' },
        {
          inputs: (graph) => [
            graph.initializer(
              'grid',
              tensor('float32', [1, 1, 2, 2], Float32Array.of(0.1, 0.4, -0.7, 0.9)),
            ),
          ],
        },
      ),
    ],
    [
      'Scatter',
      oneNode(
        'Scatter',
        9,
        { axis: 3 },
        {
          inputs: (graph) => [
            graph.initializer('at', tensor('int64', [1, 1, 1, 2], BigInt64Array.of(2n, 0n))),
            graph.initializer('new', tensor('float32', [1, 1, 1, 2], Float32Array.of(8, 9))),
          ],
        },
      ),
    ],
    [
      'AveragePool',
      oneNode('AveragePool', 10, { kernel_shape: [2, 2], ceil_mode: 1, strides: [3, 3] }),
    ],
  ];

  it.each(unchanged)('%s', async (_, model) => {
    await expectSame(model, { x });
    if (opsetOf(model)! < 13) await expectSame(model, { x }, 13);
  });

  it('Split states its number of outputs, which ONNX Runtime does not insist on', () => {
    const model = oneNode('Split', 11, { axis: 2 }, { outputs: ['y', 'z'] });
    const [node] = raiseOpset(model, 21).graph!.node;
    expect(node!.attribute.map(({ name, i }) => [name, i])).toEqual([
      ['axis', 2n],
      ['num_outputs', 2n],
    ]);
  });

  it('TopK takes its count as an input', async () => {
    const model = oneNode('TopK', 7, { k: 2, axis: 1 }, { outputs: ['y', 'i'] });
    model.graph!.output[1]!.type!.value.value!['elemType' as never] = 7 as never;
    await expectSame(model, { x });
  });

  const mask = oneNode('Dropout', 10, {}, { outputs: ['y', 'mask'] });
  it.each<readonly [string, Model]>([
    ['its mask is read', mask],
    ['its attribute spatial is 0', oneNode('BatchNormalization', 7, { spatial: 0 })],
    [
      'its scales are not constant',
      (() => {
        const model = oneNode('Resize', 10, {}, { inputs: list([1, 1, 2, 2]) });
        model.graph!.input.push({ ...model.graph!.input[0]!, name: 'list' });
        model.graph!.initializer = [];
        return model;
      })(),
    ],
    [
      'it makes one axis larger and another smaller',
      oneNode('Resize', 10, {}, { inputs: list([1, 1, 2, 0.5]) }),
    ],
    ['the channels of its input are not known', openChannels()],
    ['was withdrawn', oneNode('Affine', 7, {})],
  ])('is refused by the name of the node: %s', (reason, model) => {
    expect(() => raiseOpset(model, 21)).toThrow(expect.objectContaining({ kind: 'unsupported' }));
    expect(() => raiseOpset(model, 21)).toThrow(/^Node 'changed'/);
    expect(() => raiseOpset(model, 21)).toThrow(reason);
  });

  function openChannels(): Model {
    const model = oneNode('GroupNormalization', 18, { num_groups: 1 });
    const value = model.graph!.input[0]!.type!.value;
    if (value.case === 'tensorType') delete value.value.shape;
    return model;
  }

  it('leaves a newer model as it is, and refuses one below opset 7', () => {
    const newer = oneNode('Relu', 22, {});
    expect(raiseOpset(newer, 21)).toBe(newer);
    expect(() => raiseOpset(oneNode('Relu', 6, {}), 21)).toThrow(
      'The model uses opset 6 of ai.onnx; the oldest that can be raised is 7.',
    );
  });

  it('adapts the nodes of bodies, and changes neither the given model nor its names', async () => {
    const branch = (axis: number) => {
      const body = new GraphBuilder('branch');
      body.node('Softmax', ['x'], { axis }, { outputs: ['z'] });
      body.output('z', 'float32', [null, null, null, null]);
      return { graph: body };
    };
    const graph = new GraphBuilder('branches');
    graph.input('x', 'float32', [null, 3, null, null]);
    graph.input('flag', 'bool', []);
    const attributes = { then_branch: branch(1), else_branch: branch(2) };
    graph.node('If', ['flag'], attributes, { outputs: ['y'] });
    graph.output('y', 'float32', [null, null, null, null]);
    const model = graph.model({ opset: 11, irVersion: 6 });
    const before = writeModel(model);
    for (const taken of [0, 1]) {
      const flag = new OrtTensor('bool', Uint8Array.of(taken), []);
      await expectSame(distinctNames(model), { x, flag });
    }
    expect(writeModel(model)).toEqual(before);
  });
});
