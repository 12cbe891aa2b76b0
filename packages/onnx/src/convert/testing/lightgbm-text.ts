/** Random models in the text that LightGBM 4 writes, for tests and fuzzing: no program trained them. */
import type { Random } from '../../tensor/random.ts';

export interface LightgbmOptions {
  readonly objective: string;
  readonly features: number;
  readonly rounds: number;
  readonly leaves: number;
  /** Trees of a round. */
  readonly outputs?: number;
  /** Number of features, from the last one down, that are categories. */
  readonly categorical?: number;
  /** Missing type of all splits: 0 none, 1 zero, 2 NaN. Default: any. */
  readonly missing?: number;
  readonly averages?: boolean;
}

export function lightgbmText(options: LightgbmOptions, random: Random): string {
  const { objective, features, rounds, outputs = 1, averages = false } = options;
  const names = Array.from({ length: features }, (_, at) => `Column_${at}`);
  const trees = Array.from({ length: rounds * outputs }, (_, at) => treeText(at, options, random));
  return [
    'tree',
    'version=v4',
    `num_class=${outputs}`,
    `num_tree_per_iteration=${outputs}`,
    'label_index=0',
    `max_feature_idx=${features - 1}`,
    `objective=${objective}`,
    ...(averages ? ['average_output'] : []),
    `feature_names=${names.join(' ')}`,
    `feature_infos=${names.map(() => '[-3:3]').join(' ')}`,
    `tree_sizes=${trees.map((each) => each.length).join(' ')}`,
    '',
    trees.join(''),
    'end of trees',
    '',
    'feature_importances:',
    'Column_0=3',
    '',
    'parameters:',
    '[boosting: gbdt]',
    'end of parameters',
    '',
    'pandas_categorical:null',
    '',
  ].join('\n');
}

const below = (count: number, random: Random): number => Math.floor(random.next() * count);

function treeText(at: number, options: LightgbmOptions, random: Random): string {
  const { features, categorical = 0 } = options;
  const leaves = 1 + below(options.leaves, random);
  const splits = leaves - 1;
  const [left, right]: [number[], number[]] = [[], []];
  // LightGBM grows a tree in this way: each split takes the place of a leaf, which stays on its left.
  const places = new Map<number, (child: number) => void>();
  for (let node = 0; node < splits; node++) {
    const leaf = node === 0 ? 0 : below(node + 1, random);
    places.get(leaf)?.(node);
    left[node] = -1 - leaf;
    right[node] = -1 - (node + 1);
    places.set(leaf, (child) => (left[node] = child));
    places.set(node + 1, (child) => (right[node] = child));
  }
  const feature = Array.from({ length: splits }, () => below(features, random));
  const boundaries = [0];
  const words: number[] = [];
  const isCategory = feature.map((each) => each >= features - categorical);
  const threshold = isCategory.map((is) => {
    if (!is) return thresholdOf(random);
    const count = 1 + below(3, random);
    for (let word = 0; word < count; word++) words.push(below(2 ** 32, random));
    boundaries.push(words.length);
    return String(boundaries.length - 2);
  });
  const decision = isCategory.map((is) => {
    const missing = options.missing ?? below(3, random);
    return is ? 1 : missing * 4 + below(2, random) * 2;
  });
  const values = Array.from({ length: leaves }, () => String(random.next() * 2 - 1));
  const sets = boundaries.length - 1;
  return [
    `Tree=${at}`,
    `num_leaves=${leaves}`,
    `num_cat=${sets}`,
    `split_feature=${feature.join(' ')}`,
    `split_gain=${feature.map(() => '1.5').join(' ')}`,
    `threshold=${threshold.join(' ')}`,
    `decision_type=${decision.join(' ')}`,
    `left_child=${left.join(' ')}`,
    `right_child=${right.join(' ')}`,
    `leaf_value=${values.join(' ')}`,
    `leaf_count=${values.map(() => '20').join(' ')}`,
    ...(sets > 0
      ? [`cat_boundaries=${boundaries.join(' ')}`, `cat_threshold=${words.join(' ')}`]
      : []),
    'is_linear=0',
    'shrinkage=0.1',
    '',
    '',
  ].join('\n');
}

/** Between two 32-bit numbers as a rule, and now and then zero or next to it. */
function thresholdOf(random: Random): string {
  const special = ['1.0000000180025095e-35', '-1.0000000180025095e-35', '0', '0.5', '1e+300'];
  const pick = below(10, random);
  return special[pick] ?? String(random.next() * 6 - 3 + random.next() * 1e-10);
}
