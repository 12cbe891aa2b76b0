import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float } from '../../model/attribute.ts';
import { GraphBuilder } from '../../model/builder.ts';
import { ortRun, OrtTensor } from '../../testing/ort.ts';
import { tensor } from '../../tensor/tensor.ts';
import { gradient } from '../../gradient/gradient.ts';
import { checkGradients, floats, type OperatorCase } from '../testing/finite-difference.ts';

const sizes = (min: number, max: number) =>
  fc.array(fc.integer({ min: 1, max: 3 }), { minLength: min, maxLength: max });
const epsilon = fc.constantFrom({}, { epsilon: float(0.1) });

describe('BatchNormalization', () => {
  const cases = (training: boolean): fc.Arbitrary<OperatorCase> =>
    fc
      .tuple(fc.integer({ min: 2, max: 3 }), sizes(0, 2), fc.integer({ min: 1, max: 2 }), epsilon)
      .chain(([batch, spatial, channels, attributes]) => {
        const each = floats([channels], { shift: 2 });
        const given = each.map((input) => ({ ...input, role: 'given' as const }));
        const statistic = training ? given : each;
        return fc
          .tuple(
            floats([batch, channels, ...spatial]),
            each,
            floats([channels]),
            statistic,
            statistic,
          )
          .chain((inputs) =>
            fc.constantFrom(...(training ? [14, 15, 17, 22] : [9, 13, 17, 22])).map((opset) => ({
              operator: 'BatchNormalization',
              inputs,
              attributes: { ...attributes, ...(training ? { training_mode: 1 } : {}) },
              ...(training ? { outputs: 3, seeded: [0] } : {}),
              opset,
              symbolic: opset >= 13,
            })),
          );
      });
  it('training form', () => checkGradients(cases(true), 25));
  it('inference form', () => checkGradients(cases(false), 25));
});

describe('InstanceNormalization', () => {
  it('over the spatial axes', () =>
    checkGradients(
      fc
        .tuple(
          sizes(2, 2),
          fc.array(fc.integer({ min: 2, max: 3 }), { minLength: 1, maxLength: 2 }),
        )
        .chain(([[batch, channels], spatial]) =>
          fc.tuple(
            floats([batch!, channels!, ...spatial]),
            floats([channels!], { shift: 1 }),
            floats([channels!]),
          ),
        )
        .chain((inputs) =>
          fc
            .constantFrom(9, 13, 17, 22)
            // A wide margin, for float32 is all that there is.
            .map((opset) => ({
              operator: 'InstanceNormalization',
              inputs,
              attributes: { epsilon: float(0.1) },
              opset,
              symbolic: opset >= 13,
            })),
        ),
      20,
    ));
});

describe('LayerNormalization', () => {
  const cases = fc
    .tuple(
      sizes(1, 3),
      fc.integer({ min: 2, max: 4 }),
      fc.nat(2),
      fc.boolean(),
      fc.boolean(),
      epsilon,
    )
    .chain(([outer, last, at, counted, biased, attributes]) => {
      const shape = [...outer, last];
      const axis = at % shape.length;
      const normalized = shape.slice(axis);
      return fc
        .tuple(floats(shape), floats(normalized), ...(biased ? [floats(normalized)] : []))
        .map((inputs): OperatorCase => ({
          operator: 'LayerNormalization',
          inputs,
          attributes: { axis: counted ? axis - shape.length : axis, ...attributes },
        }));
    });
  it('over the last axes', () => checkGradients(cases, 25));
  it('in float32, from the statistics of the node', () =>
    checkGradients(
      cases.map((of) => ({
        ...of,
        attributes: { ...of.attributes, epsilon: float(0.1) },
        precision: 'float32',
      })),
      20,
    ));
});

describe('GroupNormalization', () => {
  for (const opset of [18, 21]) {
    it(`opset ${opset}`, () =>
      checkGradients(
        fc
          .tuple(
            fc.integer({ min: 1, max: 2 }),
            fc.integer({ min: 1, max: 2 }),
            fc.integer({ min: 1, max: 2 }),
            sizes(1, 2),
          )
          .chain(([batch, groups, per, spatial]) => {
            const affine = [opset < 21 ? groups : groups * per];
            return fc
              .tuple(floats([batch, groups * per, ...spatial]), floats(affine), floats(affine))
              .map((inputs) => ({
                operator: 'GroupNormalization',
                inputs,
                attributes: { num_groups: groups, epsilon: float(0.1) },
                opset,
                // Since opset 21 it is computed in float32 in any case.
                precision: opset < 21 ? ('float64' as const) : ('float32' as const),
              }));
          }),
        25,
      ));
  }
});

describe('Dropout', () => {
  it('passes the gradient in inference form', () =>
    checkGradients(
      floats([2, 3]).chain((x) =>
        fc.constantFrom(7, 11, 13, 22).map((opset) => ({
          operator: 'Dropout',
          inputs: [x],
          opset: Math.max(9, opset),
        })),
      ),
      6,
    ));

  it.each([
    ['a constant mode', false, 0.25],
    ['a mode that is fed', true, 0.25],
    ['no ratio', false, undefined],
  ])('keeps what the forward pass kept, with %s', async (_, fed, ratio) => {
    const graph = new GraphBuilder('dropout');
    const inputs = ['x'];
    graph.input('x', 'float32', ['n']);
    graph.input('seed', 'float32', ['n']);
    const share = tensor('float32', [], Float32Array.of(ratio ?? 0));
    inputs.push(ratio === undefined ? '' : graph.initializer('ratio', share));
    inputs.push(
      fed
        ? graph.input('training', 'bool', [])
        : graph.initializer('training', tensor('bool', [], Uint8Array.of(1))),
    );
    graph.node('Dropout', inputs, {}, { outputs: ['y'] });
    graph.output('y', 'float32', ['n']);
    const model = gradient(graph.model(), {
      loss: 'y',
      inputs: ['x'],
      parameters: [],
      seeds: { y: 'seed' },
    });
    const ones = new OrtTensor('float32', new Float32Array(200).fill(1), [200]);
    const run = (training: boolean) =>
      ortRun(model, {
        x: ones,
        seed: ones,
        ...(fed ? { training: new OrtTensor('bool', [training], []) } : {}),
      });
    const kept = await run(true);
    const scale = Math.fround(1 / (1 - (ratio ?? 0.5)));
    expect(new Set(kept['y'])).toEqual(new Set([0, scale]));
    expect(kept['grad:x']).toEqual(kept['y']);
    if (fed) expect(new Set((await run(false))['grad:x'])).toEqual(new Set([1]));
  });
});
