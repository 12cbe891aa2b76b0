/** A node's attribute, as written in TypeScript. */
import type { GraphProto } from 'onnx-buf';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * A bare number is an integer: JavaScript cannot distinguish `1` from `1.0`, so a floating-point attribute
 * is written `float(1)`.
 */
export type Attribute =
  | number
  | readonly number[]
  | string
  | readonly string[]
  | Tensor
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  /** A `GraphBuilder`, or another source of a graph. */
  | { readonly graph: { graph(): GraphProto } };

/** A floating-point attribute. */
export function float(value: number): { readonly float: number } {
  return { float: value };
}

/** A list of floating-point numbers as an attribute. */
export function floats(values: readonly number[]): { readonly floats: readonly number[] } {
  return { floats: values };
}
