/** The contract of an inference rule, and common helpers of rules. */
import type { NodeView } from '../model/node-view.ts';
import type { ElementType, Tensor } from '../tensor/tensor.ts';
import { type Size, LONGEST_LIST } from './size.ts';

/** The known facts about a value before the graph runs. */
export interface Inferred {
  readonly type: ElementType;
  /** `undefined` when not even the rank is known. */
  readonly shape: readonly Size[] | undefined;
  /** Elements of a small integer list or scalar, such as a shape that is computed in the graph. */
  readonly elements?: readonly Size[] | undefined;
}

/**
 * Returns the known facts of each output; a shorter list leaves the rest unknown. Calls `node.fail`
 * for a node that can never run.
 */
export type InferenceRule = (node: InferenceNode) => readonly (Inferred | undefined)[];

export interface InferenceNode extends NodeView {
  readonly opset: number;
  /** Known facts of input `index`; never nothing for a required one, since nodes with unknown inputs are not asked. `undefined` when omitted. */
  input(index: number): Inferred | undefined;
  /** Like `input`, for a required input. */
  given(index: number): Inferred;
  /** The value of an input that is an initialiser or a constant; not of one that is trained. */
  tensor(index: number): Tensor | undefined;
  /** The numbers in a small integer input, where all of them are known. */
  ints(index: number): readonly number[] | undefined;
  /** A symbol for an unknown size of output 0. */
  unknown(axis: number): Size;
}

export const sameAsInput: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  return [{ type, shape }];
};

/** A negative axis counts from the end. */
export function axisOf(node: NodeView, axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis;
  if (result < 0 || result >= rank) {
    node.fail(`axis ${axis} is outside a tensor of rank ${rank}.`);
  }
  return result;
}

/** A shape from an int64 input: its elements, or as many unknown sizes as it has elements. */
export function asShape(node: InferenceNode, index: number): readonly Size[] | undefined {
  const { elements, shape } = node.given(index);
  if (elements !== undefined) return elements;
  const rank = shape?.[0];
  return typeof rank === 'number' && rank <= LONGEST_LIST
    ? Array.from({ length: rank }, (_, axis) => node.unknown(axis))
    : undefined;
}

export function shown(shape: readonly Size[]): string {
  return `[${shape.map((size) => (String(size).startsWith('?') ? '?' : size)).join(', ')}]`;
}
