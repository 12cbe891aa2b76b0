/**
 * A split as a sequence of steps: every test is "x is at most a bound", and the side changes at each bound. One
 * comparison serves numbers, sets of categories and zeros that count as missing, so that ONNX Runtime
 * compares in one way everywhere, which it does faster.
 */
import { NEARLY_ZERO, TEST, type Forest, type Tree } from './booster.ts';
import { atMost, below } from './float32.ts';

export interface Steps {
  /** Ascending, at least one; x belongs to the first one that it does not exceed. */
  readonly bounds: readonly number[];
  /** Whether `yes` follows up to the first bound; each bound changes it. */
  readonly begins: boolean;
}

export function stepsOf(tree: Tree, node: number, rounding: Forest['rounding']): Steps {
  const { bounds, begins } = changesOf(tree, node, rounding);
  return { bounds: bounds.length === 0 ? [Infinity] : bounds, begins };
}

function changesOf(tree: Tree, node: number, rounding: Forest['rounding']): Steps {
  const threshold = tree.threshold[node]!;
  switch (tree.test[node]) {
    case TEST.below:
      return { bounds: [below(threshold)], begins: true };
    case TEST.upTo:
      return tree.zeroIsMissing?.[node] === 1
        ? aroundZero(threshold, tree.missing[node] === 1)
        : { bounds: [atMost(threshold)], begins: true };
    default:
      return { bounds: boundsOf(tree.categories.get(node)!, rounding), begins: false };
  }
}

/** x <= threshold, but for zeros, which take the side of missing values. */
function aroundZero(threshold: number, zeroIsYes: boolean): Steps {
  const ends = [below(-NEARLY_ZERO), NEARLY_ZERO] as const;
  const sides: (readonly [upTo: number, isYes: boolean])[] = [
    [Math.min(atMost(threshold), ends[0]), true],
    [ends[0], false],
    [ends[1], zeroIsYes],
    [Math.max(atMost(threshold), ends[1]), true],
    [Infinity, false],
  ];
  const bounds: number[] = [];
  let from = -Infinity;
  let isYes: boolean | undefined;
  let begins = true;
  for (const [upTo, side] of sides) {
    if (upTo <= from) continue;
    if (isYes === undefined) begins = side;
    else if (side !== isYes) bounds.push(from);
    isYes = side;
    from = upTo;
  }
  return { bounds, begins };
}

/** Where a number enters a run of neighbouring categories, and where it leaves it. */
function boundsOf(set: ReadonlySet<number>, rounding: Forest['rounding']): number[] {
  const categories = [...set].sort((one, other) => one - other);
  const bounds: number[] = [];
  categories.forEach((category, at) => {
    // A number above -1 is rounded to zero, and to category 0.
    const enters = category === 0 && rounding === 'to-zero' ? -1 : below(category);
    if (category - 1 !== categories[at - 1]) bounds.push(enters);
    if (category + 1 !== categories[at + 1]) bounds.push(below(category + 1));
  });
  return bounds;
}
