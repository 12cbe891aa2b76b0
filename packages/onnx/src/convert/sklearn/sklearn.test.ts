/** Every kind of estimator against what scikit-learn itself predicts with it, and documents that are none. */
import { describe, expect, it } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { testFolder } from '../../../../../scripts/testing/folder.ts';
import { checkModel } from '../../model/check.ts';
import { OnnxError } from '../../onnx-error.ts';
import { agrees } from '../difference.ts';
import { compareEstimator, runRows, trainEstimators } from '../testing/estimator-cases.ts';
import { documentBytes, DOCUMENTS, FOREST, LINEAR, type Json } from '../testing/small-document.ts';
import { convertSklearn } from './sklearn.ts';

const sklearn = requireComponent('python3-sklearn');
const cases = sklearn.skip ? [] : trainEstimators(testFolder());

describe.skipIf(sklearn.skip)('estimators of scikit-learn', () => {
  it('are many kinds', () => expect(cases.length).toBeGreaterThan(140));

  it.each(cases)('predict as scikit-learn does: $name', async ({ documents }) => {
    for (const path of [documents.drawn, documents.given]) {
      const { converted, differs } = await compareEstimator(path);
      expect(() => checkModel(converted.model)).not.toThrow();
      expect(converted.rowCount).toBeGreaterThan(200);
      expect([path, differs, agrees(differs)]).toEqual([path, differs, true]);
    }
  });
});

describe('convertSklearn', () => {
  const outputs = async (header: Json): Promise<Record<string, unknown>> => {
    const converted = convertSklearn(documentBytes(header));
    checkModel(converted.model);
    const found = await runRows(converted, converted.rows);
    return Object.fromEntries([...found].map(([name, data]) => [name, Array.from(data)]));
  };

  it('computes the parameters of a document', async () => {
    const sigmoid = (sum: number): number => 1 / (1 + Math.exp(-sum));
    const yes = [sigmoid(0.25), sigmoid(2.25)];
    const found = await outputs(LINEAR);
    expect(found['label']).toEqual(['yes', 'yes']);
    const expected = yes.flatMap((each) => [1 - each, each]);
    expect(found['probabilities']).toEqual(expected.map((each) => expect.closeTo(each, 6)));
    // Rome and 40 are [0, 1, 40], with the product [0, 1, 40, 1600], which is normalised to [0, 0.0006, 0.02, 1].
    // The first tree gives 1; the second 3, because 0.02 belongs to category 0.
    expect((await outputs(FOREST))['prediction']).toEqual([(0.5 + 1 + 3) / 2]);
  });

  it('has an input for each column of a data frame that a step reads', () => {
    const { model, featureNames } = convertSklearn(documentBytes(FOREST));
    expect(model.graph!.input.map(({ name }) => name)).toEqual(['city', 'age']);
    expect(featureNames).toEqual(['city', 'dropped', 'age']);
  });

  it.each(DOCUMENTS.map((header, at) => [at, header] as const))(
    'gives a graph that runs for document %i',
    async (_at, header) => {
      expect(Object.keys(await outputs(header))).not.toEqual([]);
    },
  );

  it('names the classes in the metadata', () => {
    const { model } = convertSklearn(documentBytes(LINEAR));
    const metadata = Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
    expect(metadata).toMatchObject({
      classes: '["no","yes"]',
      features: '["age","income","visits"]',
    });
  });

  const changed = (header: object, part: object): Json => ({ ...header, ...part });
  const estimator = (part: object): Json =>
    changed(FOREST, { estimator: { ...(FOREST['estimator'] as object), ...part } });

  it.each<[string, Json, RegExp]>([
    ['an unknown step', changed(LINEAR, { steps: [{ op: 'constructor' }] }), /op is "constructor"/],
    [
      'too few weights',
      changed(LINEAR, { features: 2, names: ['a', 'b'] }),
      /has 3 numbers; it must have 2/,
    ],
    [
      'a column that is not there',
      changed(LINEAR, { steps: [{ op: 'select', columns: Int32Array.of(3) }] }),
      /column 3 of 3/,
    ],
    ['texts as numbers', changed(FOREST, { steps: [] }), /"city" holds texts and is not encoded/],
    [
      'a column with the name of an output',
      changed(FOREST, { names: ['prediction', 'b', 'c'] }),
      /"prediction" has no name of its own/,
    ],
    [
      'two columns of one name',
      changed(FOREST, { names: ['a', 'b', 'a'] }),
      /"a" has no name of its own/,
    ],
    ['a tree in a circle', estimator({ yes: Int32Array.of(1, -1, -1, 1, 1, -1) }), /child 1/],
    [
      'a feature outside',
      estimator({ feature: Int32Array.of(9, 0, 0, 2, 0, 0) }),
      /feature 9 of 3/,
    ],
    ['an output outside', estimator({ targets: Int32Array.of(0, 1) }), /output 1 of 1/],
    [
      'a foreign class',
      changed(LINEAR, {
        estimator: { ...(LINEAR['estimator'] as object), classes: { texts: ['a'] } },
      }),
      /it must be 2 classes/,
    ],
    [
      'an array behind the end',
      { ...LINEAR, texts: { array: 'f8', at: 0, length: 1e6 } },
      /length is 1000000/,
    ],
    [
      'arrays again and again',
      { ...LINEAR, notes: Array.from({ length: 99 }, () => ({ array: 'u1', at: 0, length: 99 })) },
      /arrays overlap/,
    ],
  ])('refuses %s', (_name, header, message) => {
    let error: unknown;
    try {
      convertSklearn(documentBytes(header));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(OnnxError);
    expect((error as OnnxError).message).toMatch(message);
  });
});
