/** A small model in the forms that XGBoost 3.0 writes, for tests and fuzzing: no program trained it. */

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface SmallXgboost {
  readonly objective?: string;
  readonly num_class?: string;
  readonly base_score?: string;
  readonly booster?: 'gbtree' | 'dart' | 'gblinear';
  readonly attributes?: Readonly<Record<string, string>>;
}

/**
 * Two trees over three features; the last one is a category:
 * `f0 < 0.5 ? -1 : f2 in {1, 2, 5} ? 3 : 2`, and `f1 < -1.5 ? 0.25 : 0.75`.
 */
export function smallXgboost({
  objective = 'reg:squarederror',
  num_class = '0',
  base_score = '5E-1',
  booster = 'gbtree',
  attributes = {},
}: SmallXgboost = {}): Json {
  const model = {
    gbtree_model_param: { num_parallel_tree: '1', num_trees: '2' },
    iteration_indptr: [0, 1, 2],
    tree_info: [0, 0],
    trees: [
      tree({
        left_children: [1, -1, 3, -1, -1],
        right_children: [2, -1, 4, -1, -1],
        split_indices: [0, 0, 2, 0, 0],
        split_conditions: [0.5, -1, Number.NaN, 2, 3],
        split_type: [0, 0, 1, 0, 0],
        default_left: [1, 0, 0, 0, 0],
        categories: [1, 2, 5],
        categories_nodes: [2],
        categories_segments: [0],
        categories_sizes: [3],
      }),
      tree({
        left_children: [1, -1, -1],
        right_children: [2, -1, -1],
        split_indices: [1, 0, 0],
        split_conditions: [-1.5, 0.25, 0.75],
        split_type: [0, 0, 0],
        default_left: [0, 0, 0],
        categories: [],
        categories_nodes: [],
        categories_segments: [],
        categories_sizes: [],
      }),
    ],
  };
  const boosters = {
    gbtree: { model, name: 'gbtree' },
    dart: { gbtree: { model, name: 'gbtree' }, name: 'dart', weight_drop: [1, 0.5] },
    gblinear: { model: { boosted_rounds: 2, weights: [1, -2, 0.5, 0.25] }, name: 'gblinear' },
  };
  return {
    learner: {
      attributes,
      feature_names: ['age', 'income', 'city'],
      feature_types: ['q', 'q', 'c'],
      gradient_booster: boosters[booster],
      learner_model_param: { base_score, num_class, num_feature: '3', num_target: '1' },
      objective: { name: objective },
    },
    version: [3, 0, 0],
  };
}

function tree(columns: { readonly [key: string]: readonly number[] }): Json {
  const nodes = String(columns['left_children']!.length);
  return {
    ...columns,
    tree_param: { num_deleted: '0', num_feature: '3', num_nodes: nodes, size_leaf_vector: '1' },
  };
}

/** JSON with the `NaN` that XGBoost writes. */
export function jsonBytes(value: Json): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(jsonText(value));
}

function jsonText(value: Json): string {
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, each]) => `${JSON.stringify(key)}:${jsonText(each)}`,
  );
  return `{${members.join(',')}}`;
}

/** UBJSON as XGBoost writes it: lengths in 64 bits, lists of numbers as typed arrays of 32-bit floats or integers. */
export function ubjsonBytes(value: Json): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(ubjsonParts(value)));
}

function ubjsonParts(value: Json): Buffer[] {
  if (value === null) return [Buffer.from('Z')];
  if (typeof value === 'boolean') return [Buffer.from(value ? 'T' : 'F')];
  if (typeof value === 'string') return [Buffer.from('S'), ...text(value)];
  if (typeof value === 'number') return [Buffer.from('D'), float64(value)];
  if (Array.isArray(value)) {
    const list = value as readonly Json[];
    if (list.length > 0 && list.every((each) => typeof each === 'number')) return typed(list);
    return [Buffer.from('[#L'), int64(list.length), ...list.flatMap(ubjsonParts)];
  }
  const members = Object.entries(value).flatMap(([key, each]) => [
    ...text(key),
    ...ubjsonParts(each),
  ]);
  return [Buffer.from('{'), ...members, Buffer.from('}')];
}

function typed(numbers: readonly number[]): Buffer[] {
  const areWhole = numbers.every((each) => Number.isInteger(each));
  const data = Buffer.alloc(numbers.length * 4);
  numbers.forEach((each, at) =>
    areWhole ? data.writeInt32BE(each, at * 4) : data.writeFloatBE(each, at * 4),
  );
  return [Buffer.from(areWhole ? '[$l#L' : '[$d#L'), int64(numbers.length), data];
}

const text = (value: string): Buffer[] => {
  const bytes = Buffer.from(value);
  return [Buffer.from('L'), int64(bytes.length), bytes];
};

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

function float64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}
