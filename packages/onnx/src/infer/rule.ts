/** The contract of an inference rule, and what is common to many of them. */
import type { NodeView } from '../node-view.ts';
import type { ElementType, Tensor } from '../tensor.ts';
import type { Size } from './size.ts';

/** What is known of a value before it exists. */
export interface Inferred {
  readonly type: ElementType;
  /** `undefined` when not even the rank is known. */
  readonly shape: readonly Size[] | undefined;
  /** Elements of a small integer list or scalar, such as a shape that is computed in the graph. */
  readonly elements?: readonly Size[];
}

/** Gives what is known of each output; a shorter list leaves the rest unknown. Throws through `node.fail` what can never run. */
export type InferenceRule = (node: InferenceNode) => readonly (Inferred | undefined)[];

export interface InferenceNode extends NodeView {
  readonly opset: number;
  /** What is known of input `index`; of a required one always something, since nodes with unknown inputs are not asked. `undefined` when omitted. */
  input(index: number): Inferred | undefined;
  /** As `input`, for one that must be there. */
  given(index: number): Inferred;
  /** The value of an input that is an initialiser or a constant. */
  tensor(index: number): Tensor | undefined;
  /** The numbers in a small integer input, where all of them are known. */
  ints(index: number): readonly number[] | undefined;
  /** A symbol for a size of output 0 that nothing is known of. */
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

export function shown(shape: readonly Size[]): string {
  return `[${shape.map((size) => (String(size).startsWith('?') ? '?' : size)).join(', ')}]`;
}
