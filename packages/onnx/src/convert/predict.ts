/**
 * Interprets a booster row by row, in 64 bits, with the decisions of its file: slow, and the measure for the
 * graph that is made of it.
 */
import { NEARLY_ZERO, TEST, type Booster, type Forest, type Link, type Tree } from './booster.ts';

/** Outputs of the graph by name, row after row. */
export type Predicted = ReadonlyMap<string, Float64Array>;

/** @param rows numbers of 32 bits, row after row. */
export function predict(booster: Booster, rows: Float32Array): Predicted {
  const { features, outputs } = booster;
  const count = features === 0 ? 0 : rows.length / features;
  const predictions = new Float64Array(count * outputs);
  for (let at = 0; at < count; at++) {
    const row = rows.subarray(at * features, (at + 1) * features);
    predictions.set(linked(booster.link, sumsOf(booster, row)), at * outputs);
  }
  return outputsOf(booster, predictions);
}

function sumsOf({ base, sum, outputs }: Booster, row: Float32Array): Float64Array {
  const sums = base.slice();
  if (sum.kind === 'linear') {
    row.forEach((value, feature) => {
      if (Number.isNaN(value)) return;
      for (let at = 0; at < outputs; at++)
        sums[at]! += value * sum.weights[feature * outputs + at]!;
    });
    return sums;
  }
  for (const tree of sum.trees) {
    const leaf = leafOf(tree, row, sum.rounding);
    for (let at = 0; at < sum.width; at++) {
      sums[tree.output + at]! += tree.leaves[leaf * sum.width + at]!;
    }
  }
  return sums;
}

function leafOf(tree: Tree, row: Float32Array, rounding: Forest['rounding']): number {
  let node = 0;
  while (tree.test[node] !== TEST.leaf) {
    node = takesYes(tree, node, row[tree.feature[node]!]!, rounding)
      ? tree.yes[node]!
      : tree.no[node]!;
  }
  return node;
}

function takesYes(tree: Tree, node: number, x: number, rounding: Forest['rounding']): boolean {
  const isZero = tree.zeroIsMissing?.[node] === 1 && Math.abs(x) <= NEARLY_ZERO;
  if (Number.isNaN(x) || isZero) return tree.missing[node] === 1;
  const threshold = tree.threshold[node]!;
  if (tree.test[node] === TEST.below) return x < threshold;
  if (tree.test[node] === TEST.upTo) return x <= threshold;
  const category = rounding === 'down' ? Math.floor(x) : Math.trunc(x);
  return tree.categories.get(node)!.has(category);
}

function linked(link: Link, sums: Float64Array): Float64Array {
  switch (link) {
    case 'identity':
      return sums;
    case 'exp':
      return sums.map(Math.exp);
    case 'softplus':
      return sums.map((sum) => Math.max(sum, 0) + Math.log1p(Math.exp(-Math.abs(sum))));
    case 'signed-square':
      return sums.map((sum) => sum * Math.abs(sum));
    case 'softmax': {
      const most = Math.max(...sums);
      const shares = sums.map((sum) => Math.exp(sum - most));
      const total = shares.reduce((all, share) => all + share, 0);
      return shares.map((share) => share / total);
    }
    default:
      return sums.map((sum) => 1 / (1 + Math.exp(-link.slope * sum)));
  }
}

function outputsOf({ form, outputs }: Booster, predictions: Float64Array): Predicted {
  const above = (bound: number): Float64Array => predictions.map((each) => Number(each > bound));
  switch (form) {
    case 'prediction':
    case 'score':
      return new Map([[form, predictions]]);
    case 'step':
      return new Map([['label', above(0)]]);
    case 'labels':
      return new Map([
        ['label', above(0.5)],
        ['probabilities', predictions],
      ]);
    case 'binary': {
      const both = Float64Array.from({ length: predictions.length * 2 }, (_, at) =>
        at % 2 === 0 ? 1 - predictions[at >> 1]! : predictions[at >> 1]!,
      );
      return new Map([
        ['label', above(0.5)],
        ['probabilities', both],
      ]);
    }
    case 'classes': {
      const labels = Float64Array.from({ length: predictions.length / outputs }, (_, at) => {
        const row = predictions.subarray(at * outputs, (at + 1) * outputs);
        return row.reduce((best, value, index) => (value > row[best]! ? index : best), 0);
      });
      return new Map([
        ['label', labels],
        ['probabilities', predictions],
      ]);
    }
  }
}
