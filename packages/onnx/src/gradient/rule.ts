/**
 * The contract of a gradient rule: the arguments of one operator's rule, and the nodes that it may
 * emit.
 *
 * Reverse mode: a rule receives the gradients of the loss with respect to a node's outputs and
 * writes nodes that compute those with respect to its inputs, in standard ONNX operators of the
 * model's own operator set.
 */
import type { Attribute } from '../model/attribute.ts';
import type { InferenceNode } from '../infer/rule.ts';
import type { Dimension, ElementType, Tensor } from '../tensor/tensor.ts';

/**
 * Builds the gradient of one operator.
 *
 * Returns, for each input of the node, the name of the gradient of the loss with respect to it, in
 * the shape and type of that input; `undefined` where it is zero, not defined (integers) or not
 * wanted. A shorter list means that the rest is `undefined`.
 */
export type GradientRule = (
  node: GradientNode,
  graph: GradientGraph,
) => readonly (string | undefined)[];

/** A node of the forward graph, on a path from a trained value to the loss. */
export interface GradientNode extends InferenceNode {
  /** Gradient of the loss with respect to each output; `undefined` where no path leads to the loss. At least one is given. */
  readonly outputGradients: readonly (string | undefined)[];
  /** Whether the gradient with respect to input `index` is wanted; others need not be computed. */
  wants(index: number): boolean;
  /** Name of output `index` of the forward node, which is added to the node when it was omitted (such as MaxPool's Indices). */
  demand(index: number): string;
}

/**
 * The interface through which a rule writes its nodes. Names in, names out; equal nodes are written
 * once.
 */
export interface GradientGraph {
  /** Operator set of ai.onnx that all nodes must be written in. */
  readonly opset: number;
  /** Adds a node with one output; returns its name. */
  emit(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
  ): string;
  /** Adds a node with several outputs; returns their names. */
  emitAll(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: number,
  ): readonly string[];

  constant(value: Tensor): string;
  /** A constant of shape [] in the element type of `like`. */
  scalar(value: number, like: string): string;
  /** Asks for memory before a constant of so many elements is made; returns the number. @throws OnnxError `unsupported` when there is none. */
  reserve(elements: number): number;
  /** A constant int64 list, of shape [length]. */
  ints(values: readonly number[]): string;

  /** @throws OnnxError `unsupported` when inference cannot find it. */
  typeOf(name: string): ElementType;
  /**
   * Sizes and symbols; `undefined` when not even the rank is known. Equal symbols are equal sizes;
   * there are no `null`s: an unnamed size has a symbol of its own that begins with `?`.
   */
  shapeOf(name: string): readonly Exclude<Dimension, null>[] | undefined;
  /** @throws OnnxError `unsupported` when the rank is not known. */
  rankOf(name: string): number;

  /** The shape of a value as an int64 list: a constant where it is static, else from a `Shape` node. */
  shapeTensor(name: string): string;
  /** Zeros in the type and shape of `like`. */
  zeros(like: string): string;
  /** Sums a gradient over the axes along which `target` was broadcast; has the shape of `target`. */
  unbroadcast(gradient: string, target: string): string;
  /** Joins at least one value; a single one is given back. */
  concat(values: readonly string[], axis: number): string;
  /** @param sizes may have one −1, for what is left over, and 0 for sizes that stay. */
  reshape(value: string, sizes: readonly number[]): string;
  /** Gives a value the shape of `like`, which has as many elements. */
  reshapeLike(value: string, like: string): string;
  /** Broadcasts a value to the shape of `like`. */
  expandLike(value: string, like: string): string;

  // Operators whose axes moved from an attribute to an input, in either form. Axes may be negative.
  reduceSum(value: string, axes: readonly number[], keepDims: boolean): string;
  reduceMean(value: string, axes: readonly number[], keepDims: boolean): string;
  reduceMax(value: string, axes: readonly number[], keepDims: boolean): string;
  squeeze(value: string, axes: readonly number[]): string;
  unsqueeze(value: string, axes: readonly number[]): string;

  /** Refuses the model: `OnnxError` of kind `unsupported` that names the node. */
  fail(reason: string): never;
}
