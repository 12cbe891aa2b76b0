/**
 * Pad. With a constant border the gradient is the middle of dY: padding by the negative widths.
 * The other modes copy cells of the input to the border, which add their gradients to the original.
 * Either is the transpose of a linear map.
 */
import type { GradientGraph, GradientRule } from '../../gradient/rule.ts';
import { axisOf, shown, type InferenceNode, type InferenceRule } from '../../infer/rule.ts';
import { plus } from '../../infer/size.ts';
import type { Operators } from '../operator.ts';
import { transposedMap, type AxisMatrix } from './axis-map.ts';
import { padZeros } from './slicing.ts';

const inferPad: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  const widths = shape && widthsOf(node, shape.length);
  if (widths === undefined) return [{ type, shape: shape?.map((_, i) => node.unknown(i)) }];
  const added = widths.begins.map((width, axis) => width + widths.ends[axis]!);
  return [{ type, shape: shape!.map((size, axis) => plus(size, added[axis]!)) }];
};

/** How much is added to each axis; `undefined` where that depends on data. */
function widthsOf(
  node: InferenceNode,
  rank: number,
): { readonly begins: readonly number[]; readonly ends: readonly number[] } | undefined {
  const pads = node.opset < 11 ? node.attributeInts('pads') : node.ints(1);
  const [begins, ends] = [Array<number>(rank).fill(0), Array<number>(rank).fill(0)];
  const axes = node.hasInput(3)
    ? node.ints(3)?.map((axis) => axisOf(node, axis, rank))
    : [...begins.keys()];
  if (pads === undefined || axes === undefined) return undefined;
  if (pads.length !== 2 * axes.length) {
    const shape = shown(node.given(0).shape!);
    node.fail(`${pads.length} pads do not fit the ${axes.length} axes of ${shape}.`);
  }
  for (const [i, axis] of axes.entries()) {
    begins[axis] = pads[i]!;
    ends[axis] = pads[axes.length + i]!;
  }
  return { begins, ends };
}

const withoutBorder: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const dy = node.outputGradients[0]!;
  const mode = node.attributeString('mode', 'constant');
  const { begins, ends } =
    widthsOf(node, graph.rankOf(x)) ?? graph.fail('its widths are not constant');
  if (node.wants(2)) graph.fail('its border value is trained');
  if (mode === 'constant') {
    return [
      padZeros(
        graph,
        dy,
        begins.map((width) => -width),
        ends.map((width) => -width),
      ),
    ];
  }
  const sizes = graph.shapeOf(x) ?? [];
  return [
    begins.reduce((gradient, begin, axis) => {
      const end = ends[axis]!;
      if (begin === 0 && end === 0) return gradient;
      const size = sizes[axis];
      if (typeof size !== 'number') {
        return graph.fail(`mode '${mode}' needs a fixed size along axis ${axis}`);
      }
      return transposedMap(graph, gradient, axis, borderMatrix(graph, mode, size, begin, end));
    }, dy),
  ];
};

/** Which cell of the input each cell of the output copies. */
function borderMatrix(
  graph: GradientGraph,
  mode: string,
  size: number,
  begin: number,
  end: number,
): AxisMatrix {
  const source = Object.hasOwn(SOURCES, mode) ? SOURCES[mode] : undefined;
  if (source === undefined) return graph.fail(`its mode '${mode}' is not known`);
  // Negative widths cut the input first; borders then copy what is left.
  const first = Math.max(0, -begin);
  const kept = size - first - Math.max(0, -end);
  graph.reserve(size * (size + begin + end));
  return Array.from({ length: size + begin + end }, (_, o) => {
    const row = new Float64Array(size);
    row[first + source(o - Math.max(0, begin), kept)] = 1;
    return row;
  });
}

const SOURCES: Readonly<Record<string, (at: number, size: number) => number>> = {
  edge: (at, size) => Math.min(Math.max(at, 0), size - 1),
  wrap: modulo,
  // Back and forth without repeating the ends: a cycle of 2 · (size − 1).
  reflect: (at, size) => {
    if (size === 1) return 0;
    const cycle = modulo(at, 2 * (size - 1));
    return cycle < size ? cycle : 2 * (size - 1) - cycle;
  },
};

function modulo(at: number, size: number): number {
  return ((at % size) + size) % size;
}

export const pad: Operators = { Pad: { infer: inferPad, gradient: withoutBorder } };
