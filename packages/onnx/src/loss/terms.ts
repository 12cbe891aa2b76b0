/** The terms of a loss before it is averaged: the same for every kind of loss. */
import type { GraphWriter } from '../gradient/graph-writer.ts';
import type { Size } from '../infer/size.ts';

export interface LossContext {
  readonly writer: GraphWriter;
  /** Name of the model's raw output: logits, or predicted numbers. */
  readonly prediction: string;
  readonly shape: readonly Size[];
  readonly target: string;
}

/** A loss is Σ terms · weight / Σ counts; its gradient is slopes · weight / Σ counts. */
export interface Terms {
  /** Shaped like the prediction, to be summed over everything. */
  readonly terms: string;
  /** Derivative of the loss of an element by the prediction, shaped like it. */
  readonly slopes: string;
  /** How much each element counts, without the axis of classes; `undefined` when all count 1. */
  readonly counts?: string | undefined;
  /** The axis of the prediction along which one element lies; `undefined` when every number is one. */
  readonly classAxis?: number;
}
