/** One tree of a LightGBM file. */
import { invalidModel, unsupportedModel } from '../../onnx-error.ts';
import { TEST, type Tree } from '../booster.ts';
import { MOST_NODES } from '../limits.ts';
import type { Section } from './sections.ts';

/** Bits of a decision type; the missing type is in the two bits above. */
const CATEGORICAL = 1;
const DEFAULT_LEFT = 2;
const MISSING_ZERO = 1;
const MISSING_NAN = 2;
/** Bits of a word of a set. */
const WORD = 32;

interface TreeOptions {
  readonly features: number;
  readonly output: number;
  /** Factor of its leaves: of a random forest, which averages its trees. */
  readonly weight: number;
}

/** Splits come first, then leaves: a child below zero is a leaf, counted from -1 down. */
export function readTree(section: Section, { features, output, weight }: TreeOptions): Tree {
  if (section.has('is_linear') && section.count('is_linear', 1) === 1) {
    throw unsupportedModel(
      `${section.title} has linear models in its leaves. Train with linear_tree=false.`,
    );
  }
  const leaves = section.count('num_leaves', MOST_NODES / 2);
  if (leaves === 0) throw invalidModel(`${section.title} has no leaf.`);
  const splits = leaves - 1;
  const values = section.numbers('leaf_value', leaves);
  const columns =
    splits === 0
      ? undefined
      : {
          feature: section.numbers('split_feature', splits),
          threshold: section.numbers('threshold', splits),
          decision: section.numbers('decision_type', splits),
          left: section.numbers('left_child', splits),
          right: section.numbers('right_child', splits),
        };
  const nodes = splits + leaves;
  const categories = new Map<number, ReadonlySet<number>>();
  const tree = {
    test: new Uint8Array(nodes),
    feature: new Int32Array(nodes),
    threshold: new Float64Array(nodes),
    yes: new Int32Array(nodes),
    no: new Int32Array(nodes),
    missing: new Uint8Array(nodes),
    zeroIsMissing: new Uint8Array(nodes),
    categories,
    leaves: new Float64Array(nodes),
    output,
  };
  values.forEach((value, leaf) => (tree.leaves[splits + leaf] = value * weight));
  if (columns === undefined) return tree;
  const sets = setsOf(section);
  const childOf = (child: number): number => (child < 0 ? splits - 1 - child : child);
  for (let node = 0; node < splits; node++) {
    const feature = columns.feature[node]!;
    if (!(Number.isInteger(feature) && feature >= 0 && feature < features)) {
      throw invalidModel(`${section.title} splits by feature ${feature} of ${features}.`);
    }
    const decision = columns.decision[node]!;
    const threshold = columns.threshold[node]!;
    const missing = (decision >> 2) & 3;
    tree.feature[node] = feature;
    tree.yes[node] = childOf(columns.left[node]!);
    tree.no[node] = childOf(columns.right[node]!);
    if ((decision & CATEGORICAL) !== 0) {
      const set = sets[threshold];
      if (set === undefined) throw invalidModel(`${section.title} has no set ${threshold}.`);
      tree.test[node] = TEST.member;
      categories.set(node, set);
      continue;
    }
    tree.test[node] = TEST.upTo;
    tree.threshold[node] = threshold;
    tree.zeroIsMissing[node] = missing === MISSING_ZERO ? 1 : 0;
    const isDefaultLeft = (decision & DEFAULT_LEFT) !== 0;
    // A missing value is a zero where the training data had none.
    const isYes =
      missing === MISSING_ZERO || missing === MISSING_NAN ? isDefaultLeft : threshold >= 0;
    tree.missing[node] = isYes ? 1 : 0;
  }
  return tree;
}

/** The sets of categories of a tree: bits of words of 32. */
function setsOf(section: Section): readonly ReadonlySet<number>[] {
  const count = section.has('num_cat') ? section.count('num_cat', MOST_NODES) : 0;
  if (count === 0) return [];
  const bounds = section.numbers('cat_boundaries', count + 1);
  const words = section.numbers('cat_threshold');
  return Array.from({ length: count }, (_, at) => {
    const [from, to] = [bounds[at]!, bounds[at + 1]!];
    if (!(from >= 0 && from <= to && to <= words.length)) {
      throw invalidModel(`${section.title} has the set ${at} outside of its words.`);
    }
    const set = new Set<number>();
    for (let word = from; word < to; word++) {
      for (let bit = 0; bit < WORD; bit++) {
        if (((words[word]! >>> bit) & 1) === 1) set.add((word - from) * WORD + bit);
      }
    }
    return set;
  });
}
