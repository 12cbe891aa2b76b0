/** Random LightGBM models against an interpreter of their text that shares no code with the reader. */
import { describe, expect, it } from 'vitest';
import { checkModel } from '../../model/check.ts';
import { OnnxError } from '../../onnx-error.ts';
import { seededRandom } from '../../tensor/random.ts';
import { convertModel, type Converted } from '../convert.ts';
import { agrees, difference } from '../difference.ts';
import { runGraph } from '../testing/conversion-cases.ts';
import { referenceSums } from '../testing/lightgbm-reference.ts';
import { lightgbmText, type LightgbmOptions } from '../testing/lightgbm-text.ts';

const sigmoid = (slope: number) => (sum: number) => 1 / (1 + Math.exp(-slope * sum));
const argmax = (numbers: readonly number[]): number => numbers.indexOf(Math.max(...numbers));
const BASE = { features: 5, rounds: 12, leaves: 20 };

type Outputs = Readonly<Record<string, readonly number[]>>;

const number =
  (of: (sum: number) => number) =>
  (sums: readonly number[]): Outputs => ({
    prediction: sums.map(of),
  });
const score = (sums: readonly number[]): Outputs => ({ score: sums });
const binary =
  (slope: number) =>
  ([sum = 0]: readonly number[]): Outputs => {
    const share = sigmoid(slope)(sum);
    return { label: [share > 0.5 ? 1 : 0], probabilities: [1 - share, share] };
  };
const shares =
  (of: (sums: readonly number[]) => number[]) =>
  (sums: readonly number[]): Outputs => ({
    label: [argmax(of(sums))],
    probabilities: of(sums),
  });
const softmax = (sums: readonly number[]): number[] => {
  const powers = sums.map(Math.exp);
  const total = powers.reduce((one, other) => one + other);
  return powers.map((power) => power / total);
};

/** Objective, the outputs of one row by its documentation, and trees of a round. */
const OBJECTIVES: readonly (readonly [string, (sums: readonly number[]) => Outputs, number])[] = [
  ...['regression', 'regression_l1', 'huber', 'fair', 'quantile', 'mape'].map(
    (objective) => [objective, number((sum) => sum), 1] as const,
  ),
  ['regression sqrt', number((sum) => Math.sign(sum) * sum * sum), 1],
  ...['poisson', 'gamma', 'tweedie'].map((objective) => [objective, number(Math.exp), 1] as const),
  ['cross_entropy', number(sigmoid(1)), 1],
  ['cross_entropy_lambda', number((sum) => Math.log1p(Math.exp(sum))), 1],
  ['binary sigmoid:1', binary(1), 1],
  ['binary sigmoid:2.5', binary(2.5), 1],
  ['multiclass num_class:4', shares(softmax), 4],
  ['multiclassova num_class:3 sigmoid:1.5', shares((sums) => sums.map(sigmoid(1.5))), 3],
  ['lambdarank', score, 1],
  ['rank_xendcg', score, 1],
];

/** The outputs for each row, by interpreting the text. */
function expectedOf(
  text: string,
  converted: Converted,
  rows: Float32Array,
  outputsOf: (sums: readonly number[]) => Outputs,
): Map<string, number[]> {
  const expected = new Map<string, number[]>();
  for (let at = 0; at < rows.length; at += converted.features) {
    const outputs = outputsOf(referenceSums(text, rows.subarray(at, at + converted.features)));
    for (const [name, values] of Object.entries(outputs)) {
      expected.set(name, [...(expected.get(name) ?? []), ...values]);
    }
  }
  return expected;
}

async function expectEqual(
  options: LightgbmOptions,
  seed: number,
  outputsOf: (sums: readonly number[]) => Outputs,
): Promise<void> {
  const text = lightgbmText(options, seededRandom(seed));
  const converted = convertModel(Buffer.from(text));
  checkModel(converted.model);
  const rows = converted.sampleRows(150, seededRandom(seed + 1));
  const zeros = [0, -0, Math.fround(1e-35), -Math.fround(1e-35), 1e-34, -0.5, 31.9, 32, -1, 1e9];
  zeros.forEach((value, at) => rows.fill(value, at * options.features, at * options.features + 3));
  const expected = expectedOf(text, converted, rows, outputsOf);
  for (const found of [converted.predict(rows), await runGraph(converted, rows)]) {
    const differs = difference(expected, found);
    expect([differs, agrees(differs)]).toEqual([differs, true]);
  }
}

describe('models of LightGBM', () => {
  it.each(OBJECTIVES)('predict as their text states: %s', async (objective, of, outputs) => {
    await expectEqual({ ...BASE, objective, outputs, categorical: 2 }, 7, of);
  });

  it.each([
    ['missing values that are zeros', { missing: 0 }],
    ['zeros that are missing', { missing: 1 }],
    ['missing values with a side of their own', { missing: 2 }],
    ['categories alone', { categorical: 5 }],
    ['one leaf', { leaves: 1 }],
    ['a random forest', { averages: true }],
    ['many leaves', { leaves: 400, rounds: 3 }],
    ['no round', { rounds: 0 }],
  ])('take %s', async (_name, options) => {
    for (let seed = 0; seed < 4; seed++) {
      await expectEqual(
        { ...BASE, objective: 'regression', categorical: 1, ...options },
        seed,
        number((sum) => sum),
      );
    }
  });

  it('keep their names, and state what a caller must send', () => {
    const text = lightgbmText({ ...BASE, objective: 'custom' }, seededRandom(1))
      .replace('Column_0 ', 'age ')
      .replace('pandas_categorical:null', 'pandas_categorical:[["Bern", "Oslo"]]');
    const { source, featureNames, notes } = convertModel(Buffer.from(text));
    expect([source, featureNames[0]]).toEqual(['LightGBM v4', 'age']);
    expect(notes).toEqual([
      expect.stringContaining('no objective of LightGBM'),
      expect.stringContaining('categories of pandas'),
    ]);
  });

  const whole = lightgbmText(
    { ...BASE, objective: 'regression', categorical: 1, rounds: 2 },
    seededRandom(3),
  );
  it.each<[string, string | RegExp, string, OnnxError['kind'], RegExp]>([
    ['linear trees', 'is_linear=0', 'is_linear=1', 'unsupported', /linear_tree=false/],
    ['another format', 'version=v4', 'version=v9', 'unsupported', /format v9/],
    ['a foreign objective', 'objective=regression', 'objective=mine', 'unsupported', /"mine"/],
    ['an unknown feature', /split_feature=\d+/, 'split_feature=5', 'invalid', /feature 5 of 5/],
    ['a child twice', /left_child=\S+/, 'left_child=0', 'invalid', /the child 0/],
    ['a number that is none', /leaf_value=\S+/, 'leaf_value=nan', 'invalid', /"nan" in leaf_value/],
    [
      'a list that is too short',
      /leaf_value=\S+ /,
      'leaf_value=',
      'invalid',
      /numbers in leaf_value/,
    ],
    [
      'half a round',
      'num_tree_per_iteration=1',
      'num_tree_per_iteration=3',
      'invalid',
      /2 trees for 3/,
    ],
    ['a cut file', /end of trees[^]*/, '', 'invalid', /truncated after \d+ bytes/],
  ])('are refused with %s', (_name, from, to, kind, message) => {
    const changed = whole.replace(from, to);
    expect(changed).not.toBe(whole);
    let thrown: unknown;
    try {
      convertModel(Buffer.from(changed));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(OnnxError);
    expect(thrown).toMatchObject({ kind, message: expect.stringMatching(message) });
  });
});
