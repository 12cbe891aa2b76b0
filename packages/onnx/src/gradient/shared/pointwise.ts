/** What slopes of functions of single elements are made of. */
import type { GradientGraph } from '../rule.ts';

export function positive(graph: GradientGraph, x: string): string {
  return graph.emit('Greater', [x, graph.scalar(0, x)]);
}

export function choose(graph: GradientGraph, condition: string, yes: string, no: string): string {
  return graph.emit('Where', [condition, yes, no]);
}

export function scaled(graph: GradientGraph, x: string, by: number): string {
  return graph.emit('Mul', [x, graph.scalar(by, x)]);
}

export function square(graph: GradientGraph, x: string): string {
  return graph.emit('Mul', [x, x]);
}

export function plusOne(graph: GradientGraph, x: string): string {
  return graph.emit('Add', [x, graph.scalar(1, x)]);
}

export function oneMinus(graph: GradientGraph, x: string): string {
  return graph.emit('Sub', [graph.scalar(1, x), x]);
}
