/** Documents of estimators as `sklearn/python/script.py` writes them, for tests and fuzzing: no program trained them. */

export type Json =
  | null
  | boolean
  | number
  | string
  | Float64Array
  | Int32Array
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A document with its arrays behind the header. */
export function documentBytes(header: Json): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  const replaced = (value: Json): unknown => {
    if (value instanceof Float64Array || value instanceof Int32Array) {
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      const padded = new Uint8Array(Math.ceil(bytes.length / 8) * 8);
      padded.set(bytes);
      parts.push(padded);
      const at = size;
      size += padded.length;
      return { array: value instanceof Float64Array ? 'f8' : 'i4', at, length: value.length };
    }
    if (Array.isArray(value)) return value.map((each: Json) => replaced(each));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, replaced(each)]));
  };
  const text = Buffer.from(JSON.stringify(replaced(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([Buffer.from('SKLEARN1'), length, text, ...parts]);
}

const f8 = (...numbers: number[]): Float64Array => Float64Array.from(numbers);
const i4 = (...numbers: number[]): Int32Array => Int32Array.from(numbers);

/** A logistic regression over three scaled numbers. */
export const LINEAR: { readonly [key: string]: Json } = {
  source: 'scikit-learn 1.4.2',
  summary: 'StandardScaler → LogisticRegression',
  notes: [],
  features: 3,
  names: ['age', 'income', 'visits'],
  texts: i4(),
  used: i4(0, 1, 2),
  steps: [
    {
      op: 'elementwise',
      do: [
        ['subtract', f8(1, 2, 3)],
        ['divide', f8(1, 2, 4)],
      ],
    },
  ],
  estimator: {
    kind: 'linear',
    weights: f8(1, -1, 0.5),
    bias: f8(0.25),
    outputs: 1,
    link: { slope: 1 },
    form: 'classes',
    classes: { texts: ['no', 'yes'] },
  },
  samples: {
    count: 2,
    columns: [f8(1, 3), f8(2, 2), f8(3, 3)],
    outputs: { label: ['yes', 'yes'] },
  },
};

/** Two trees over a column of texts and one of numbers. */
export const FOREST: { readonly [key: string]: Json } = {
  source: 'scikit-learn 1.4.2',
  summary: 'ColumnTransformer → RandomForestRegressor',
  notes: ['A note.'],
  features: 3,
  names: ['city', 'dropped', 'age'],
  texts: i4(0),
  used: i4(0, 2),
  steps: [
    {
      op: 'branches',
      branches: [
        {
          columns: i4(0),
          steps: [
            { op: 'impute-texts', fills: ['Oslo'] },
            {
              op: 'encode',
              form: 'one-hot',
              columns: [
                { texts: ['Oslo', 'Rome', null], codes: f8(0, 1, -1), unknown: -1, width: 2 },
              ],
            },
          ],
        },
        {
          columns: i4(2),
          steps: [{ op: 'impute', missing: -1, keep: i4(0), fills: f8(40), marked: i4(0) }],
        },
      ],
    },
    { op: 'products', degree: 2, factors: i4(0, 1, 2, 2, 3, 3, 3, 2) },
    { op: 'normalize', norm: 'l2' },
    { op: 'select', columns: i4(0, 1, 2) },
  ],
  estimator: {
    kind: 'forest',
    width: 1,
    outputs: 1,
    divide: 2,
    base: f8(0.5),
    targets: i4(0, 0),
    starts: i4(0, 3, 6),
    feature: i4(0, 0, 0, 2, 0, 0),
    threshold: f8(0.5, 0, 0, 0.1, 0, 0),
    yes: i4(1, -1, -1, 1, -1, -1),
    no: i4(2, -1, -1, 2, -1, -1),
    missing: i4(0, 0, 0, 1, 0, 0),
    leaves: f8(0, 1, 2, 0, 3, 4),
    owners: i4(3),
    sets: [f8(0, 2)],
    link: 'identity',
    form: 'prediction',
  },
  samples: { count: 1, columns: [['Rome'], f8(0), f8(-1)], outputs: { prediction: f8(3) } },
};

/** Bayes, a network and a transformer alone, over numbers of an array. */
const plain = (estimator: Json, outputs: Json): Json => ({
  ...LINEAR,
  names: [],
  steps: [
    {
      op: 'encode',
      form: 'ordinal',
      columns: [0, 1, 2].map(() => ({
        numbers: f8(1, 2, 3),
        codes: f8(0, 1, 2),
        unknown: -1,
        width: 1,
      })),
    },
    { op: 'apply', function: 'log1p' },
    { op: 'binarize', threshold: 0.5 },
    { op: 'project', weights: f8(1, 0, 0, 1, 1, 1), outputs: 2 },
  ],
  estimator,
  samples: { count: 1, columns: [f8(1), f8(2), f8(3)], outputs },
});

export const DOCUMENTS: readonly Json[] = [
  LINEAR,
  FOREST,
  plain(
    {
      kind: 'gaussian',
      means: f8(0, 1, 1, 0),
      variances: f8(1, 1, 2, 2),
      bias: f8(0, 0),
      outputs: 2,
      link: 'softmax',
      form: 'scores',
      classes: { numbers: f8(0, 1) },
    },
    { label: f8(0) },
  ),
  plain(
    {
      kind: 'layers',
      activation: 'tanh',
      layers: [
        { weights: f8(1, 2), bias: f8(0), outputs: 1 },
        { weights: f8(1, 2), bias: f8(0, 1), outputs: 2 },
      ],
      outputs: 2,
      link: 'one-vs-rest',
      form: 'classes',
      classes: { numbers: f8(3, 7) },
    },
    { label: f8(3), probabilities: f8(0.5, 0.5) },
  ),
  plain({ kind: 'none', form: 'transformed', outputs: 2 }, { transformed: f8(0, 0) }),
];
