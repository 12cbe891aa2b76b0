/**
 * The ONNX project's tests for implementations: whole models, and about 1,400 cases of single
 * operators. All must be read, checked and written again byte for byte. The inferred facts
 * about their outputs may be incomplete but never differ from the files.
 */
import type { ValueInfoProto } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { checkModel } from '../model/check.ts';
import { elementTypeOf } from '../tensor/element-type.ts';
import { inferShapes } from '../infer/inference.ts';
import { readModel, withGraph, writeModel, type Model } from '../model/model.ts';
import type { TensorSpec } from '../tensor/tensor.ts';
import { casesOf, type Case } from './testing/cases.ts';

/** Longer inputs are data; these may be axes, sizes or scales, which exporters have as constants. */
const LONGEST_CONSTANT = 16;

/**
 * The model without the shapes of its outputs and intermediate values, so that all must be
 * inferred, and with small inputs as constants: the cases pass axes and sizes as inputs, which no
 * real model does.
 */
function bare(model: Model, each: Case): Model {
  const graph = model.graph!;
  const constants = graph.input.flatMap(({ name, type }, index) => {
    const given = each.input(index);
    const isSmall =
      given !== undefined &&
      given.dims.every((size) => size <= LONGEST_CONSTANT) &&
      given.dims.length < 2;
    const fits = type?.value.case === 'tensorType' && type.value.value.elemType === given?.dataType;
    return isSmall && fits ? [{ ...given, name }] : [];
  });
  return withGraph(model, {
    initializer: [...graph.initializer, ...constants],
    output: graph.output.map(({ name, $typeName }) => ({ name, $typeName }) as ValueInfoProto),
    valueInfo: [],
  });
}

type Verdict = 'complete' | 'incomplete' | 'no tensor' | `${string} is not ${string}`;

/** Compares the inferred facts of an output with the file's. */
function verdict(found: TensorSpec | undefined, { type }: ValueInfoProto): Verdict {
  if (type?.value.case !== 'tensorType') return 'no tensor';
  const { elemType, shape } = type.value.value;
  if (found === undefined) return 'incomplete';
  const stated = shape?.dim.map(({ value }) =>
    value.case === 'dimValue' ? Number(value.value) : null,
  );
  const shown = `${found.type} [${found.shape.join(', ')}]`;
  const wanted = `${elementTypeOf(elemType)} [${stated?.join(', ')}]`;
  const differs =
    found.type !== elementTypeOf(elemType) ||
    (stated !== undefined &&
      (found.shape.length !== stated.length ||
        stated.some(
          (size, axis) =>
            typeof size === 'number' &&
            typeof found.shape[axis] === 'number' &&
            size !== found.shape[axis],
        )));
  if (differs) return `${shown} is not ${wanted}`;
  const isWhole = stated?.every(
    (size, axis) => size === null || typeof found.shape[axis] === 'number',
  );
  return isWhole === false ? 'incomplete' : 'complete';
}

function verdicts(each: Case): Verdict[] {
  const model = readModel(each.bytes);
  const inferred = inferShapes(bare(model, each));
  return model.graph!.output.map((output) => verdict(inferred.get(output.name), output));
}

const data = requireComponent('libonnx-testdata');

/**
 * The cases, and the number of them whose outputs are all inferred. The others have strings,
 * eight-bit floats, loops, sequences, preview operators, or sizes that depend on data.
 */
const FAMILIES = [
  { family: 'light', cases: 9, inferred: 9 },
  { family: 'node', cases: 1288, inferred: 1052 },
  { family: 'pytorch-converted', cases: 82, inferred: 82 },
  { family: 'pytorch-operator', cases: 35, inferred: 35 },
  { family: 'simple', cases: 23, inferred: 7 },
];

describe.skipIf(data.skip).each(FAMILIES)('$family', ({ family, cases, inferred }) => {
  const all = data.skip ? [] : casesOf(`${family}/**/*.onnx`);

  it('is read, checked, and written again byte for byte', () => {
    expect(all.length).toBeGreaterThanOrEqual(cases);
    const changed = all.filter(({ bytes }) => {
      const model = readModel(bytes);
      checkModel(model);
      return Buffer.compare(writeModel(model), bytes) !== 0;
    });
    expect(changed.map(({ name }) => name)).toEqual([]);
  });

  it('is never inferred wrongly', () => {
    const found = all.map((each) => ({ name: each.name, verdicts: verdicts(each) }));
    const wrong = found.filter((each) =>
      each.verdicts.some((verdict) => verdict.includes('is not')),
    );
    expect(wrong).toEqual([]);
    const complete = found.filter((each) =>
      each.verdicts.every((verdict) => verdict === 'complete'),
    );
    expect(complete.length).toBeGreaterThanOrEqual(inferred);
  });
});
