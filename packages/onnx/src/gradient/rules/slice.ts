/**
 * The gradient in its place, and zeros around it: the transpose of cutting out; one axis after the
 * other.
 */
import { tensor } from '../../tensor.ts';
import { filled } from '../graph-writer.ts';
import type { GradientGraph, GradientNode, GradientRule } from '../rule.ts';
import { counted, sizeOf } from '../shared/slicing.ts';

export const Slice: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const ranges = rangesOf(node, graph);
  const pads = ranges.map((range) => padsOf(graph, x, range));
  if (pads.every((pad) => pad !== undefined)) {
    const rank = graph.rankOf(x);
    const before = Array.from({ length: rank }, () => 0);
    const after = [...before];
    for (const [i, { axis }] of ranges.entries()) [before[axis], after[axis]] = pads[i]!;
    return [padded(graph, node.outputGradients[0]!, [...before, ...after])];
  }
  if (graph.opset < 13) graph.fail('its ranges cannot be inferred; export the model with opset 13');
  let g = node.outputGradients[0]!;
  for (const range of ranges.toReversed()) g = scattered(graph, g, x, range);
  return [g];
};

interface Range {
  readonly axis: number;
  /** Names of int64 lists of one element. */
  readonly start: string;
  readonly end: string;
  readonly step: string;
  readonly known:
    | { readonly start: number; readonly end: number; readonly step: number }
    | undefined;
}

function rangesOf(node: GradientNode, graph: GradientGraph): readonly Range[] {
  const rank = graph.rankOf(node.inputs[0]!);
  const lists = graph.opset < 10 ? listsOfAttributes(node) : listsOfInputs(node, graph);
  const { starts, ends, axes, steps } = lists;
  if (axes === undefined) graph.fail('the axes that it slices cannot be inferred');
  const element = (index: number, list: readonly number[] | undefined, i: number) =>
    list === undefined
      ? graph.emit('Slice', [node.inputs[index]!, graph.ints([i]), graph.ints([i + 1])])
      : graph.ints([list[i]!]);
  return axes.map((axis, i) => ({
    axis: counted(axis, rank),
    start: element(1, starts, i),
    end: element(2, ends, i),
    step: element(4, steps, i),
    known:
      starts === undefined || ends === undefined || steps === undefined
        ? undefined
        : { start: starts[i]!, end: ends[i]!, step: steps[i]! },
  }));
}

interface Lists {
  readonly starts: readonly number[] | undefined;
  readonly ends: readonly number[] | undefined;
  readonly axes: readonly number[] | undefined;
  readonly steps: readonly number[] | undefined;
}

function listsOfAttributes(node: GradientNode): Lists {
  const starts = node.attributeInts('starts');
  return {
    starts,
    ends: node.attributeInts('ends'),
    axes: node.attributeInts('axes', [...starts.keys()]),
    steps: starts.map(() => 1),
  };
}

function listsOfInputs(node: GradientNode, graph: GradientGraph): Lists {
  const given = (index: number) => (node.inputs[index] ?? '') !== '';
  const list = (index: number) => graph.intsOf(node.inputs[index]!);
  const count = graph.shapeOf(node.inputs[1]!)?.[0];
  const every = typeof count === 'number' ? Array.from({ length: count }, (_, i) => i) : undefined;
  return {
    starts: list(1),
    ends: list(2),
    axes: given(3) ? list(3) : every,
    steps: given(4) ? list(4) : every?.map(() => 1),
  };
}

/** How much was cut before and after, where that is known; else `undefined`. */
function padsOf(
  graph: GradientGraph,
  x: string,
  { axis, known }: Range,
): [number, number] | undefined {
  if (known === undefined || known.step !== 1) return undefined;
  const size = graph.shapeOf(x)?.[axis];
  const { start, end } = known;
  if (typeof size === 'number') {
    const from = Math.min(counted(start, size), size);
    const to = Math.min(counted(end, size), size);
    return to < from ? undefined : [Math.max(from, 0), size - to];
  }
  if (start < 0) return undefined;
  if (end >= 2 ** 31 - 1) return [start, 0];
  return end < 0 ? [start, -end] : undefined;
}

function padded(graph: GradientGraph, g: string, pads: readonly number[]): string {
  if (pads.every((pad) => pad === 0)) return g;
  return graph.opset < 11
    ? graph.emit('Pad', [g], { pads })
    : graph.emit('Pad', [g, graph.ints(pads)]);
}

/** Undoes the slice of one axis: the positions that it took, and the gradient written there. */
function scattered(graph: GradientGraph, g: string, x: string, range: Range): string {
  const { axis, start, end, step } = range;
  const rank = graph.rankOf(x);
  const size = sizeOf(graph, x, axis);
  const int64 = (value: number) => tensor('int64', [], BigInt64Array.of(BigInt(value)));
  const scalar = graph.emit('Squeeze', [size, graph.ints([0])]);
  const all = graph.emit('Range', [graph.constant(int64(0)), scalar, graph.constant(int64(1))]);
  const taken = graph.emit('Slice', [all, start, end, graph.ints([0]), step]);
  const shape = graph.shapeTensor(g);
  const around = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis);
  const positions = graph.emit('Expand', [graph.unsqueeze(taken, around), shape]);
  const parts = [
    ...(axis === 0 ? [] : [graph.emit('Slice', [shape, graph.ints([0]), graph.ints([axis])])]),
    size,
    ...(axis === rank - 1
      ? []
      : [graph.emit('Slice', [shape, graph.ints([axis + 1]), graph.ints([rank])])]),
  ];
  const whole = parts.length === 1 ? size : graph.emit('Concat', parts, { axis: 0 });
  const zeros = graph.emit('ConstantOfShape', [whole], {
    value: filled(graph.typeOf(g), [1], 0),
  });
  return graph.emit('ScatterElements', [zeros, positions, g], { axis });
}
