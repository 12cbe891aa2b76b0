/** Parts of tensors, in the form that the model's operator set has for them. */
import type { GradientGraph } from '../../gradient/rule.ts';

export interface Range {
  readonly axis: number;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly step?: number;
}

/** Past the end of every axis. */
const END = 2 ** 31 - 1;

/** Part of a value in every one of the ranges; axes that none names are whole. */
export function slice(graph: GradientGraph, value: string, ranges: readonly Range[]): string {
  if (ranges.length === 0) return value;
  const starts = ranges.map(({ start }) => start);
  const ends = ranges.map(({ end }) => end);
  const axes = ranges.map(({ axis }) => axis);
  const steps = ranges.map(({ step = 1 }) => step);
  const stepless = steps.every((step) => step === 1);
  if (graph.opset >= 10) {
    const inputs = [value, graph.ints(starts), graph.ints(ends), graph.ints(axes)];
    return graph.emit('Slice', stepless ? inputs : [...inputs, graph.ints(steps)]);
  }
  if (!stepless) graph.fail('its gradient takes slices with steps, which came with opset 10');
  return graph.emit('Slice', [value], { starts, ends, axes });
}

/** Surrounds a value with zeros; a negative width cuts off instead. One width per axis. */
export function padZeros(
  graph: GradientGraph,
  value: string,
  begins: readonly number[],
  ends: readonly number[],
): string {
  const pads = [...begins, ...ends];
  if (pads.every((width) => width === 0)) return value;
  return graph.opset >= 11
    ? graph.emit('Pad', [value, graph.ints(pads)])
    : graph.emit('Pad', [value], { pads });
}

/** `sizes` after the first axes of another shape, as an int64 list: `[...leading, ...shape of value from axis]`. */
export function shapeFrom(
  graph: GradientGraph,
  value: string,
  axis: number,
  leading: readonly number[],
): string {
  const sizes = graph.shapeOf(value)?.slice(axis);
  if (sizes?.every((size) => typeof size === 'number')) return graph.ints([...leading, ...sizes]);
  const rest = slice(graph, graph.shapeTensor(value), [{ axis: 0, start: axis, end: END }]);
  return leading.length === 0 ? rest : graph.concat([graph.ints(leading), rest], 0);
}

/** The size of one axis, as a list of one element. */
export function sizeOf(graph: GradientGraph, name: string, axis: number): string {
  const size = graph.shapeOf(name)?.[axis];
  if (typeof size === 'number') return graph.ints([size]);
  const shape = graph.emit('Shape', [name]);
  return graph.emit('Slice', [shape, graph.ints([axis]), graph.ints([axis + 1])]);
}

/** A position that may be counted from the end. */
export function counted(at: number, size: number): number {
  return at < 0 ? at + size : at;
}
