/**
 * A boosted or linear model between its file and its graph: the decisions as the file states them.
 * `predict.ts` interprets it, `graph.ts` writes it as ONNX; each reader of a format makes one.
 */

/** How a node compares: `x < threshold`, `x <= threshold`, or a whole number in a set. */
export const TEST = { leaf: 0, below: 1, upTo: 2, member: 3 } as const;

/** Numbers up to this size are zero to LightGBM, which holds it in 32 bits. */
export const NEARLY_ZERO = Math.fround(1e-35);

/** One tree by node; node 0 is its root, and every child has one parent. */
export interface Tree {
  /** A value of `TEST`. */
  readonly test: Uint8Array;
  readonly feature: Int32Array;
  readonly threshold: Float64Array;
  readonly yes: Int32Array;
  readonly no: Int32Array;
  /** 1: a missing value takes `yes`. */
  readonly missing: Uint8Array;
  /** 1: a value nearly zero counts as missing too. Absent: zeros are numbers. */
  readonly zeroIsMissing?: Uint8Array | undefined;
  /** The set of each node whose test is `member`. */
  readonly categories: ReadonlyMap<number, ReadonlySet<number>>;
  /** [nodes, width]: added to the outputs from `output` on. */
  readonly leaves: Float64Array;
  readonly output: number;
}

export interface Forest {
  readonly kind: 'forest';
  readonly trees: readonly Tree[];
  /** Outputs that one leaf adds to. */
  readonly width: number;
  /** Category of a number: rounded down, or towards zero. Negative ones are in no set. */
  readonly rounding: 'down' | 'to-zero';
}

export interface Linear {
  readonly kind: 'linear';
  /** [features, outputs]; a missing value adds nothing. */
  readonly weights: Float64Array;
}

/** From the sum to the prediction. */
export type Link =
  | 'identity'
  | 'exp'
  | 'softmax'
  | 'softplus'
  /** sign(x) · x². */
  | 'signed-square'
  /** Logistic function of `slope` · x. */
  | { readonly slope: number };

/**
 * Outputs of the graph: `prediction` or `score` [batch, outputs]; `binary`: `label` [batch] and
 * `probabilities` [batch, 2]; `classes`: `label` [batch] and `probabilities` [batch, outputs]; `labels`: both
 * [batch, outputs]; `step`: `label` [batch], 1 where the sum is positive.
 */
export type Form = 'prediction' | 'score' | 'binary' | 'classes' | 'labels' | 'step';

export interface Booster {
  /** The program that wrote the file, and its version. */
  readonly source: string;
  readonly objective: string;
  readonly features: number;
  readonly featureNames: readonly string[];
  readonly outputs: number;
  /** Start of each output's sum. */
  readonly base: Float64Array;
  readonly sum: Forest | Linear;
  readonly link: Link;
  readonly form: Form;
  /** Parts of the file that are not used, in sentences. */
  readonly notes: readonly string[];
}

export const nodeCount = ({ sum }: Booster): number =>
  sum.kind === 'linear' ? 0 : sum.trees.reduce((count, tree) => count + tree.test.length, 0);
