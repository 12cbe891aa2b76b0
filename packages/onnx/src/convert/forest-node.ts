/** Writes trees as one node of `ai.onnx.ml`. */
import { floats, type Attribute } from '../model/attribute.ts';
import type { GraphBuilder } from '../model/builder.ts';
import { TEST, type Booster, type Forest, type Tree } from './booster.ts';
import { reachedNodes } from './check-tree.ts';
import { MOST_DEPTH, MOST_NODES, requireAtMost } from './limits.ts';
import { stepsOf, type Steps } from './steps.ts';

/** The last version with this operator; in the operator of version 5 a node has one parent. */
export const ML_OPSET = 3;

/** @returns the name of the sums, [batch, outputs]. */
export function forestNode(
  graph: GraphBuilder,
  input: string,
  forest: Forest,
  { base, outputs }: Pick<Booster, 'base' | 'outputs'>,
): string {
  const columns = new Columns(forest);
  for (const tree of forest.trees) columns.add(tree);
  if (forest.trees.length === 0) columns.addLeaf();
  const [sums] = graph.node(
    'TreeEnsembleRegressor',
    [input],
    { n_targets: outputs, base_values: floats([...base]), ...columns.attributes() },
    { domain: 'ai.onnx.ml' },
  );
  return sums;
}

/** The nodes of all trees, an attribute per column. */
class Columns {
  readonly #forest: Forest;
  #tree = 0;
  readonly #trees: number[] = [];
  readonly #ids: number[] = [];
  readonly #features: number[] = [];
  readonly #values: number[] = [];
  readonly #modes: string[] = [];
  readonly #yes: number[] = [];
  readonly #no: number[] = [];
  readonly #missing: number[] = [];
  readonly #leafTrees: number[] = [];
  readonly #leafIds: number[] = [];
  readonly #outputs: number[] = [];
  readonly #weights: number[] = [];

  constructor(forest: Forest) {
    this.#forest = forest;
  }

  add(tree: Tree): void {
    const nodes = reachedNodes(tree);
    const { ids, steps } = this.#layout(tree, nodes);
    for (const node of nodes) {
      const split = steps.get(node);
      if (split === undefined) this.#leaf(tree, node, ids[node]!);
      else this.#split(tree, node, split, ids);
    }
    this.#tree++;
  }

  /** A tree that adds nothing. */
  addLeaf(): void {
    this.#node(0, 'LEAF');
    this.#target(0, 0, 0);
  }

  /** A split takes an id for each of its steps. A path through all of them is a path of the graph. */
  #layout(tree: Tree, nodes: Int32Array) {
    const ids = new Int32Array(tree.test.length);
    const depths = new Int32Array(tree.test.length);
    const steps = new Map<number, Steps>();
    let count = 0;
    for (const node of nodes) {
      ids[node] = count;
      if (tree.test[node] === TEST.leaf) {
        count++;
        continue;
      }
      const split = stepsOf(tree, node, this.#forest.rounding);
      steps.set(node, split);
      count += split.bounds.length;
      const depth = depths[node]! + split.bounds.length;
      requireAtMost('levels in a tree with its categories', depth, MOST_DEPTH);
      depths[tree.yes[node]!] = depth;
      depths[tree.no[node]!] = depth;
      requireAtMost('nodes with their categories', this.#ids.length + count, MOST_NODES);
    }
    return { ids, steps };
  }

  #leaf(tree: Tree, node: number, id: number): void {
    this.#node(id, 'LEAF');
    const { width } = this.#forest;
    for (let at = 0; at < width; at++) {
      this.#target(id, tree.output + at, tree.leaves[node * width + at]!);
    }
  }

  /** A chain: the side of each step is its true branch, and the next step its false one. */
  #split(tree: Tree, node: number, { bounds, begins }: Steps, ids: Int32Array): void {
    const [yes, no] = [ids[tree.yes[node]!]!, ids[tree.no[node]!]!];
    const missing = tree.missing[node] === 1 ? yes : no;
    let isYes = begins;
    bounds.forEach((bound, at) => {
      const side = isYes ? yes : no;
      const other = isYes ? no : yes;
      const id = ids[node]! + at;
      this.#node(id, 'BRANCH_LEQ', {
        feature: tree.feature[node]!,
        bound,
        yes: side,
        no: at === bounds.length - 1 ? other : id + 1,
        missing: side === missing ? 1 : 0,
      });
      isYes = !isYes;
    });
  }

  #node(
    id: number,
    mode: string,
    { feature, bound, yes, no, missing } = { feature: 0, bound: 0, yes: 0, no: 0, missing: 0 },
  ): void {
    this.#trees.push(this.#tree);
    this.#ids.push(id);
    this.#features.push(feature);
    this.#values.push(bound);
    this.#modes.push(mode);
    this.#yes.push(yes);
    this.#no.push(no);
    this.#missing.push(missing);
  }

  #target(id: number, output: number, weight: number): void {
    this.#leafTrees.push(this.#tree);
    this.#leafIds.push(id);
    this.#outputs.push(output);
    this.#weights.push(weight);
  }

  attributes(): Record<string, Attribute> {
    return {
      nodes_treeids: this.#trees,
      nodes_nodeids: this.#ids,
      nodes_featureids: this.#features,
      nodes_values: floats(this.#values),
      nodes_modes: this.#modes,
      nodes_truenodeids: this.#yes,
      nodes_falsenodeids: this.#no,
      nodes_missing_value_tracks_true: this.#missing,
      target_treeids: this.#leafTrees,
      target_nodeids: this.#leafIds,
      target_ids: this.#outputs,
      target_weights: floats(this.#weights),
    };
  }
}
