/**
 * The common part of all normalisations. With x̂ = (x − mean) · inverse, where `inverse` is 1 /
 * √(variance + ε) over some axes, and g the gradient with respect to x̂:
 *
 *     dx = inverse · (g − mean(g) − x̂ · mean(g · x̂))
 *
 * Ioffe and Szegedy, "Batch Normalization" (2015), §3, with the terms through mean and variance
 * collected.
 */
import type { GradientGraph } from '../../gradient/rule.ts';

/** Statistics over `axes`, kept as axes of size 1. */
export interface Moments {
  readonly centred: string;
  readonly inverse: string;
  readonly axes: readonly number[];
}

export function moments(
  graph: GradientGraph,
  x: string,
  axes: readonly number[],
  epsilon: number,
): Moments {
  const centred = graph.emit('Sub', [x, graph.reduceMean(x, axes, true)]);
  const variance = graph.reduceMean(graph.emit('Mul', [centred, centred]), axes, true);
  return { centred, inverse: inverseOf(graph, variance, epsilon), axes };
}

/** 1 / √(variance + ε) */
export function inverseOf(graph: GradientGraph, variance: string, epsilon: number): string {
  const shifted = graph.emit('Add', [variance, graph.scalar(epsilon, variance)]);
  return graph.emit('Reciprocal', [graph.emit('Sqrt', [shifted])]);
}

/** The gradient through x̂ = (x − mean) · inverse. */
export function normalisedGradient(
  graph: GradientGraph,
  gradient: string,
  normalised: string,
  { inverse, axes }: Pick<Moments, 'inverse' | 'axes'>,
): string {
  const along = graph.reduceMean(graph.emit('Mul', [gradient, normalised]), axes, true);
  const centred = graph.emit('Sub', [gradient, graph.reduceMean(gradient, axes, true)]);
  const rest = graph.emit('Sub', [centred, graph.emit('Mul', [normalised, along])]);
  return graph.emit('Mul', [rest, inverse]);
}

/** A value per channel, [channels], as it is broadcast over [batch, channels, ...spatial]. */
export function perChannel(graph: GradientGraph, value: string, rank: number): string {
  if (rank === 2) return value;
  const channels = graph.shapeOf(value)?.[0];
  const size = typeof channels === 'number' ? channels : -1;
  return graph.reshape(value, [size, ...Array.from({ length: rank - 2 }, () => 1)]);
}

/** Axes 2 … rank − 1. */
export function spatialAxes(rank: number): number[] {
  return Array.from({ length: rank - 2 }, (_, i) => i + 2);
}
