/** Slice: cutting out. Its gradient is the transpose of that, the gradient with zeros around it. */
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import { axisOf, type InferenceNode, type InferenceRule } from '../../infer/rule.ts';
import { fills, isStatic, plus, type Size, LONGEST_LIST } from '../../infer/size.ts';
import { elementCount, tensor } from '../../tensor/tensor.ts';
import type { Operators } from '../operator.ts';
import { counted, padZeros, sizeOf } from './slicing.ts';
import { filled } from '../../tensor/numbers.ts';

/** Lists of a Slice; `undefined` for a list that exists only when the graph runs. */
interface Lists {
  readonly starts: readonly number[] | undefined;
  readonly ends: readonly number[] | undefined;
  readonly axes: readonly number[] | undefined;
  readonly steps: readonly number[] | undefined;
}

function listsOf(node: InferenceNode): Lists {
  const old = node.opset < 10;
  const starts = old ? node.attributeInts('starts') : node.ints(1);
  const count = starts?.length ?? node.given(1).shape?.[0];
  const every =
    typeof count === 'number' && count <= LONGEST_LIST
      ? Array.from({ length: count }, (_, i) => i)
      : undefined;
  const steps = every?.map(() => 1);
  if (old) {
    const axes = node.attributeInts('axes', every);
    return { starts, ends: node.attributeInts('ends'), axes, steps };
  }
  return {
    starts,
    ends: node.ints(2),
    axes: node.hasInput(3) ? node.ints(3) : every,
    steps: node.hasInput(4) ? node.ints(4) : steps,
  };
}

const inferSlice: InferenceRule = (node) => {
  const { type, shape, elements } = node.given(0);
  if (shape === undefined) return [{ type, shape }];
  const ranges = sliceRanges(node, shape.length);
  if (ranges === undefined) {
    return [{ type, shape: shape.map((_, axis) => node.unknown(axis)) }];
  }
  const result = [...shape];
  let part = fills(elements, shape) ? elements : undefined;
  for (const { axis, start, end, step } of ranges) {
    if (step === 0) node.fail('a step is 0.');
    part =
      part === undefined ? undefined : taken(part, result, shape[axis]!, axis, [start, end, step]);
    result[axis] = slicedSize(node, axis, shape[axis]!, start, end, step);
  }
  return [{ type, shape: result, elements: part }];
};

/** Start, end, axis and step of each sliced axis; `undefined` where it cannot be known. */
export function sliceRanges(
  node: InferenceNode,
  rank: number,
): readonly { axis: number; start: number; end: number; step: number }[] | undefined {
  const { starts, ends, axes, steps } = listsOf(node);
  if (!starts || !ends || !axes || !steps) return undefined;
  if ([ends, axes, steps].some((list) => list.length !== starts.length)) {
    node.fail('its starts, ends, axes and steps are not equally many.');
  }
  return starts.map((start, i) => ({
    axis: axisOf(node, axes[i]!, rank),
    start,
    end: ends[i]!,
    step: steps[i]!,
  }));
}

function slicedSize(
  node: InferenceNode,
  axis: number,
  size: Size,
  start: number,
  end: number,
  step: number,
): Size {
  if (typeof size === 'number') {
    const [from, to] = clamped(size, start, end, step);
    return Math.max(0, Math.ceil((to - from) / step));
  }
  if (step !== 1 || start < 0) return node.unknown(axis);
  // Correct while the axis is long enough, which a sensible model ensures.
  if (end >= 2 ** 31 - 1) return plus(size, -start);
  return end < 0 ? plus(size, end - start) : node.unknown(axis);
}

/** The elements that a slice along one axis of a row-major list leaves. */
function taken(
  list: readonly Size[],
  shape: readonly Size[],
  size: Size,
  axis: number,
  [start, end, step]: readonly [number, number, number],
): readonly Size[] | undefined {
  // A list that fills its shape bounds every loop here by its own length.
  if (!fills(list, shape) || !isStatic(shape) || typeof size !== 'number' || size === 0)
    return undefined;
  const [from, to] = clamped(size, start, end, step);
  const inner = elementCount(shape.slice(axis + 1));
  const result = [];
  for (let row = 0; row < list.length; row += size * inner) {
    for (let i = from; step > 0 ? i < to : i > to; i += step) {
      result.push(...list.slice(row + i * inner, row + (i + 1) * inner));
    }
  }
  return result;
}

export function clamped(size: number, start: number, end: number, step: number): [number, number] {
  const clamp = (at: number, low: number, high: number) =>
    Math.min(Math.max(at < 0 ? at + size : at, low), high);
  return step > 0
    ? [clamp(start, 0, size), clamp(end, 0, size)]
    : [clamp(start, 0, size - 1), clamp(end, -1, size - 1)];
}

/** One axis after the other where what was cut cannot be known. */
const withZerosAround: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const ranges = rangesOf(node, graph);
  const pads = ranges.map((range) => padsOf(graph, x, range));
  if (pads.every((pad) => pad !== undefined)) {
    const rank = graph.rankOf(x);
    const before = Array.from({ length: rank }, () => 0);
    const after = [...before];
    for (const [i, { axis }] of ranges.entries()) [before[axis], after[axis]] = pads[i]!;
    return [padZeros(graph, node.outputGradients[0]!, before, after)];
  }
  if (graph.opset < 11) graph.fail('its ranges cannot be inferred; export the model with opset 11');
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
  const { starts, ends, axes, steps } = listsOf(node);
  if (axes === undefined) graph.fail('the axes that it slices cannot be inferred');
  const element = (index: number, list: readonly number[] | undefined, i: number) =>
    list === undefined
      ? graph.emit('Slice', [node.inputs[index]!, graph.ints([i]), graph.ints([i + 1])])
      : graph.ints([list[i]!]);
  return axes.map((axis, i) => ({
    axis: axisOf(node, axis, rank),
    start: element(1, starts, i),
    end: element(2, ends, i),
    step: element(4, steps, i),
    known:
      starts === undefined || ends === undefined || steps === undefined
        ? undefined
        : { start: starts[i]!, end: ends[i]!, step: steps[i]! },
  }));
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

/** Undoes the slice of one axis: the positions that it took, and the gradient written there. */
function scattered(graph: GradientGraph, g: string, x: string, range: Range): string {
  const { axis, start, end, step } = range;
  const rank = graph.rankOf(x);
  const size = sizeOf(graph, x, axis);
  const int64 = (value: number) => tensor('int64', [], BigInt64Array.of(BigInt(value)));
  const scalar = graph.squeeze(size, [0]);
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
  const whole = graph.concat(parts, 0);
  const zeros = graph.emit('ConstantOfShape', [whole], {
    value: filled(graph.typeOf(g), [1], 0),
  });
  return graph.emit('ScatterElements', [zeros, positions, g], { axis });
}

export const slice: Operators = {
  Slice: { infer: inferSlice, gradient: withZerosAround },
};
