/**
 * A layer as a function from a value to a value: it adds its nodes and seeded weights to a graph.
 * `sequential` strings layers together; a layer that holds others (`residual`) is one like any other.
 */
import type { GraphBuilder } from '../model/builder.ts';
import type { Random } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';

/** A value that flows through a model; its first dimension, the batch, is left out of the shape. */
export interface Flow {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface LayerScope {
  readonly graph: GraphBuilder;
  readonly random: Random;
  /** Path of the layer in its model, before the names of its weights: `3` or `5.1`. */
  readonly path: string;
}

/** @throws Error when the layer cannot take a value of that shape. */
export type Layer = (scope: LayerScope, x: Flow) => Flow;

/** Adds a float32 weight called `path.name`; returns its full name. */
export function weight(
  { graph, path }: LayerScope,
  name: string,
  shape: readonly number[],
  values: Float32Array,
): string {
  return graph.initializer(`${path}.${name}`, tensor('float32', shape, values));
}

/** @throws Error that names the layer and what it needs. */
export function requireRank(layer: string, x: Flow, rank: number, form: string): void {
  if (x.shape.length === rank) return;
  throw new Error(`${layer} takes ${form}, but gets [batch, ${x.shape.join(', ')}].`);
}
