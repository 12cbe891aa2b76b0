/** Recognition, refusals and bounds of converted files. Each reader's own test holds its predictions against the program. */
import { describe, expect, it } from 'vitest';
import { OnnxError } from '../onnx-error.ts';
import { seededRandom } from '../tensor/random.ts';
import { convertModel, difference, recogniseModel } from './convert.ts';
import { runGraph } from './testing/conversion-cases.ts';
import { jsonBytes, smallXgboost, ubjsonBytes } from './testing/small-xgboost.ts';

const ROWS = [
  [0, 0, 0],
  [1, -2, 5],
  [1, -2, 4],
  [1, Number.NaN, 1.9],
  [Number.NaN, 0, -1],
  [0.5, -1.5, Number.NaN],
];
const rows = Float32Array.from(ROWS.flat());

const failure = (bytes: Uint8Array): OnnxError => {
  try {
    convertModel(bytes);
  } catch (error) {
    if (error instanceof OnnxError) return error;
    throw error;
  }
  throw new Error('the file was converted');
};

describe('convertModel', () => {
  it.each([
    ['JSON', jsonBytes],
    ['UBJSON', ubjsonBytes],
  ])('reads XGBoost’s %s', async (_name, write) => {
    const converted = convertModel(write(smallXgboost()));
    expect(converted).toMatchObject({
      source: 'XGBoost 3.0.0',
      objective: 'reg:squarederror',
      trees: 2,
      features: 3,
      featureNames: ['age', 'income', 'city'],
    });
    // By hand, from the trees of the file.
    const expected = [0.25, 3.75, 2.75, 4.25, 0.25, 4.25];
    expect([...converted.predict(rows).get('prediction')!]).toEqual(expected);
    const graph = (await runGraph(converted, rows)).get('prediction')!;
    expect(Array.from(graph)).toEqual(expected);
  });

  it('keeps the names of the features in the model', () => {
    const { model } = convertModel(jsonBytes(smallXgboost()));
    const metadata = Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
    expect(metadata).toEqual({
      source: 'XGBoost 3.0.0',
      objective: 'reg:squarederror',
      features: '["age","income","city"]',
    });
  });

  it('takes one base score per output, as XGBoost 3.1 writes it', () => {
    const document = smallXgboost({
      objective: 'multi:softprob',
      num_class: '3',
      base_score: '[1E0,2E0,-1E0]',
    });
    const predicted = convertModel(jsonBytes(document)).predict(Float32Array.of(0, 0, 0));
    const [first, second, third] = predicted.get('probabilities')!;
    // Both trees add to the first class: -1 + 0.75, or 0.25 less for its second tree.
    expect(Math.log(first! / second!)).toBeCloseTo(1 - 0.25 - 2, 9);
    expect(Math.log(third! / second!)).toBeCloseTo(-3, 9);
  });

  it('uses the trees up to the best iteration of scikit-learn’s classes alone', () => {
    const best_iteration = '0';
    const sklearn = convertModel(
      jsonBytes(smallXgboost({ attributes: { best_iteration, scikit_learn: '{}' } })),
    );
    expect([sklearn.trees, sklearn.notes]).toEqual([1, [expect.stringContaining('1 trees')]]);
    const native = convertModel(jsonBytes(smallXgboost({ attributes: { best_iteration } })));
    expect([native.trees, native.notes]).toEqual([2, []]);
  });

  it('draws rows that show a threshold that is rounded the wrong way', async () => {
    const converted = convertModel(jsonBytes(smallXgboost()));
    const drawn = converted.sampleRows(300, seededRandom(1));
    const { model } = converted;
    const values = model.graph!.node[0]!.attribute.find(({ name }) => name === 'nodes_values')!;
    values.floats = values.floats.map((value) => (value < 0.5 && value > 0.4 ? 0.5 : value));
    const differs = difference(converted.predict(drawn), await runGraph(converted, drawn));
    expect(differs.largest).toBeGreaterThan(0.5);
  });

  it('is exact with weighted trees and with a linear booster', async () => {
    for (const booster of ['dart', 'gblinear'] as const) {
      const converted = convertModel(jsonBytes(smallXgboost({ booster })));
      const { largest } = difference(converted.predict(rows), await runGraph(converted, rows));
      expect(largest).toBeLessThan(1e-6);
    }
  });

  it.each<[string, Uint8Array, OnnxError['kind'], RegExp]>([
    ['another JSON', jsonBytes({ name: 'tree' }), 'invalid', /booster\.save_model\("model\.ubj"\)/],
    [
      'an objective of one’s own',
      jsonBytes(smallXgboost({ objective: 'mine' })),
      'unsupported',
      /"mine" is not one of XGBoost: reg:/,
    ],
    [
      'the old format',
      new TextEncoder().encode('binf\0\0\0\0'),
      'invalid',
      /save it with booster\.save_model/,
    ],
    [
      'a wrong number',
      jsonBytes(smallXgboost({ base_score: 'x' })),
      'invalid',
      /base_score is "x"; it must be a number/,
    ],
    [
      'a negative count',
      jsonBytes(smallXgboost({ num_class: '-1' })),
      'invalid',
      /num_class is "-1"/,
    ],
    [
      'half a text',
      jsonBytes(smallXgboost()).subarray(0, 400),
      'invalid',
      /truncated after 400 bytes/,
    ],
    [
      'half of UBJSON',
      ubjsonBytes(smallXgboost()).subarray(0, 400),
      'invalid',
      /truncated after 400 bytes/,
    ],
  ])('refuses %s, and names the way out', (_name, bytes, kind, message) => {
    expect(failure(bytes)).toMatchObject({ kind, message: expect.stringMatching(message) });
  });

  it('refuses trees that are none', () => {
    const text = new TextDecoder().decode(jsonBytes(smallXgboost()));
    const changed = (from: string, to: string): Uint8Array => {
      expect(text).toContain(from);
      return new TextEncoder().encode(text.replace(from, to));
    };
    for (const [from, to, message] of [
      ['"left_children":[1,-1,3,-1,-1]', '"left_children":[1,-1,0,-1,-1]', /child 0/],
      ['"left_children":[1,-1,3,-1,-1]', '"left_children":[1,-1,1,-1,-1]', /child 1/],
      ['"left_children":[1,-1,3,-1,-1]', '"left_children":[1,-1,9,-1,-1]', /child 9/],
      [
        '"left_children":[1,-1,3,-1,-1]',
        '"left_children":[1,-1,3]',
        /has 3 numbers; it must have 5/,
      ],
      ['"split_indices":[0,0,2,0,0]', '"split_indices":[0,0,7,0,0]', /feature 7 of 3/],
      ['"categories_nodes":[2]', '"categories_nodes":[1]', /no categories for its node 2/],
      ['"categories_sizes":[3]', '"categories_sizes":[4]', /outside of its nodes or lists/],
      ['"tree_info":[0,0]', '"tree_info":[0,1]', /output 1 of 1/],
      ['"num_nodes":"5"', '"num_nodes":"1e99"', /num_nodes is "1e99"/],
    ] as const) {
      expect([to, failure(changed(from, to)).message]).toEqual([
        to,
        expect.stringMatching(message),
      ]);
    }
  });

  it('bounds the depth of a document', () => {
    const deep = new TextEncoder().encode(`{"a":${'['.repeat(100_000)}`);
    expect(failure(deep).message).toContain('more than 64 levels');
    const list = Buffer.concat([Buffer.from('{L\0\0\0\0\0\0\0\x01a'), Buffer.alloc(100_000, '[')]);
    expect(failure(list).message).toContain('more than 64 levels');
  });

  it('bounds a list that takes no bytes', () => {
    const nulls = Buffer.concat([Buffer.from('{L\0\0\0\0\0\0\0\x01a[$Z#L'), Buffer.alloc(8, 0x10)]);
    expect(failure(nulls).message).toContain('more than 50000000 values');
  });
});

describe('recogniseModel', () => {
  it.each([
    ['{"learner":{', 'xgboost-json'],
    ['{\n  "learner":', 'xgboost-json'],
    ['{L\0\0\0\0\0\0\0\x07learner', 'xgboost-ubjson'],
    ['binf', 'xgboost-binary'],
    ['\x08\x08\x12\x05skein', undefined],
    ['', undefined],
  ])('%j', (head, format) => {
    expect(recogniseModel(Buffer.from(head, 'latin1'))).toBe(format);
  });
});
