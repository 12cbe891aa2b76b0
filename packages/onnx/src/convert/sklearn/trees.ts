/** The trees of a forest, as the other readers of trees make them. */
import { invalidModel } from '../../onnx-error.ts';
import { TEST, type Forest, type Tree } from '../booster.ts';
import { reachedNodes } from '../check-tree.ts';
import type { Numbers, Place } from '../format/value.ts';
import { MOST_NODES, MOST_OUTPUTS, requireAtMost } from '../limits.ts';

/** Arrays of all nodes, tree after tree; children are positions in their own tree, -1 in a leaf. */
const COLUMNS = ['feature', 'threshold', 'yes', 'no', 'missing'] as const;
type Columns = Readonly<Record<(typeof COLUMNS)[number], Numbers>>;

/** @param features columns that the trees may read. */
export function readForest(place: Place, features: number, outputs: number): Forest {
  const starts = place.at('starts').numbers();
  const nodes = starts.at(-1) ?? 0;
  const trees = starts.length - 1;
  requireAtMost('nodes', nodes, MOST_NODES);
  const width = place.at('width').count(MOST_OUTPUTS);
  const columns = Object.fromEntries(
    COLUMNS.map((name) => [name, place.at(name).numbers(nodes)]),
  ) as Columns;
  const leaves = place.at('leaves').numbers(nodes * width);
  const targets = place.at('targets').numbers(Math.max(trees, 0));
  const categories = categoriesOf(place, nodes);
  return {
    kind: 'forest',
    width,
    rounding: 'to-zero',
    trees: Array.from({ length: trees }, (_, at) => {
      const [from, to] = [starts[at]!, starts[at + 1]!];
      const output = targets[at]!;
      if (!(from >= 0 && to > from && to <= nodes)) throw place.at('starts').wrong('ascending');
      if (!(output >= 0 && output + width <= outputs)) {
        throw invalidModel(`A tree is for output ${output} of ${outputs}.`);
      }
      const tree = treeOf(columns, from, to, categories, features);
      const all = {
        ...tree,
        leaves: Float64Array.from(leaves.subarray(from * width, to * width)),
        output,
      };
      reachedNodes(all);
      return all;
    }),
  };
}

function treeOf(
  columns: Columns,
  from: number,
  to: number,
  categories: ReadonlyMap<number, ReadonlySet<number>>,
  features: number,
): Omit<Tree, 'leaves' | 'output'> {
  const test = new Uint8Array(to - from);
  const own = new Map<number, ReadonlySet<number>>();
  for (let node = 0; node < test.length; node++) {
    if (columns.yes[from + node]! < 0) continue;
    const feature = columns.feature[from + node]!;
    if (!(feature >= 0 && feature < features)) {
      throw invalidModel(`A tree reads feature ${feature} of ${features}.`);
    }
    const set = categories.get(from + node);
    test[node] = set === undefined ? TEST.upTo : TEST.member;
    if (set !== undefined) own.set(node, set);
    else if (Number.isNaN(columns.threshold[from + node]!))
      throw invalidModel('A tree has the threshold NaN.');
  }
  const part = (name: keyof Columns): Int32Array =>
    Int32Array.from(columns[name].subarray(from, to));
  return {
    test,
    feature: part('feature'),
    threshold: Float64Array.from(columns.threshold.subarray(from, to)),
    yes: part('yes'),
    no: part('no'),
    missing: Uint8Array.from(columns.missing.subarray(from, to)),
    categories: own,
  };
}

/** By node; only histogram boosting has some. */
function categoriesOf(place: Place, nodes: number): ReadonlyMap<number, ReadonlySet<number>> {
  if (!place.at('owners').exists) return new Map();
  const owners = place.at('owners').numbers();
  const sets = place.at('sets').list();
  if (sets.length !== owners.length) throw place.at('sets').wrong('a set per node with categories');
  return new Map(
    Array.from(owners, (node, at) => {
      if (!(node >= 0 && node < nodes))
        throw invalidModel(`A set is for node ${node} of ${nodes}.`);
      const set = new Set<number>(sets[at]!.numbers());
      for (const each of set) {
        if (!(Number.isInteger(each) && each >= 0 && each < 2 ** 24)) {
          throw invalidModel(`A tree has the category ${each}.`);
        }
      }
      return [node, set];
    }),
  );
}
