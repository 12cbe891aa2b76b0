/** One tree of an XGBoost file. */
import { invalidModel, unsupportedModel } from '../../onnx-error.ts';
import { TEST, type Tree } from '../booster.ts';
import { MOST_NODES } from '../limits.ts';
import type { Place } from '../format/value.ts';

interface TreeOptions {
  readonly features: number;
  /** First output that its leaves add to. */
  readonly output: number;
  /** Outputs that a leaf adds to. */
  readonly width: number;
  /** Factor of its leaves: of DART. */
  readonly weight: number;
}

export function readTree(place: Place, { features, output, width, weight }: TreeOptions): Tree {
  const nodes = place.at('tree_param').at('num_nodes').count(MOST_NODES);
  if (nodes === 0) throw invalidModel(`${place.path} has no node.`);
  const left = place.at('left_children').numbers(nodes);
  const right = place.at('right_children').numbers(nodes);
  const feature = Int32Array.from(place.at('split_indices').numbers(nodes));
  const conditions = place.at('split_conditions').numbers(nodes);
  const defaultLeft = place.at('default_left').numbers(nodes);
  const types = place.at('split_type');
  const splitTypes = types.exists ? types.numbers(nodes) : new Uint8Array(nodes);
  const values = width === 1 ? conditions : place.at('base_weights').numbers(nodes * width);
  const categories = categoriesOf(place, nodes);
  const tree = {
    test: new Uint8Array(nodes),
    feature,
    threshold: new Float64Array(nodes),
    yes: new Int32Array(nodes),
    no: new Int32Array(nodes),
    missing: new Uint8Array(nodes),
    categories,
    leaves: new Float64Array(nodes * width),
    output,
  };
  for (let node = 0; node < nodes; node++) {
    if (left[node] === -1) {
      for (let at = node * width; at < (node + 1) * width; at++) {
        tree.leaves[at] = values[at]! * weight;
      }
      continue;
    }
    if (!(feature[node]! >= 0 && feature[node]! < features)) {
      throw invalidModel(`${place.path} splits by feature ${feature[node]} of ${features}.`);
    }
    const isMember = splitTypes[node] === 1;
    if (isMember && !categories.has(node)) {
      throw invalidModel(`${place.path} has no categories for its node ${node}.`);
    }
    tree.test[node] = isMember ? TEST.member : TEST.below;
    // A category in the set goes to the right, a number below the threshold to the left.
    tree.yes[node] = isMember ? right[node]! : left[node]!;
    tree.no[node] = isMember ? left[node]! : right[node]!;
    tree.missing[node] = (defaultLeft[node] !== 0) === isMember ? 0 : 1;
    // XGBoost holds thresholds in 32 bits, and writes as many digits as they need.
    tree.threshold[node] = isMember ? 0 : Math.fround(conditions[node]!);
  }
  return tree;
}

/** The categories of each node that splits by them. */
function categoriesOf(place: Place, nodes: number): ReadonlyMap<number, ReadonlySet<number>> {
  const sets = new Map<number, ReadonlySet<number>>();
  const owners = place.at('categories_nodes');
  if (!owners.exists) return sets;
  const ids = owners.numbers();
  const segments = place.at('categories_segments').numbers(ids.length);
  const sizes = place.at('categories_sizes').numbers(ids.length);
  const all = place.at('categories').numbers();
  ids.forEach((node, at) => {
    const [from, size] = [segments[at]!, sizes[at]!];
    if (!(node >= 0 && node < nodes && from >= 0 && size >= 0 && from + size <= all.length)) {
      throw invalidModel(`${place.path} has categories outside of its nodes or lists.`);
    }
    const set = new Set<number>(all.subarray(from, from + size));
    for (const category of set) {
      if (!(Number.isInteger(category) && category >= 0 && category < 2 ** 24)) {
        throw unsupportedModel(`${place.path} has the category ${category}.`);
      }
    }
    sets.set(node, set);
  });
  return sets;
}
