/**
 * Pad. With a constant border the gradient is that of the middle: padding by the negative widths.
 * The other modes copy cells of the input to the border, which add their gradients to the original.
 * Either is the transpose of a linear map.
 */
import type { GradientNode, GradientGraph, GradientRule } from '../rule.ts';
import { transposedMap, type AxisMatrix } from '../shared/axis-map.ts';
import { padZeros } from '../shared/slicing.ts';

export const Pad: GradientRule = (node, graph) => {
  const x = node.inputs[0]!;
  const dy = node.outputGradients[0]!;
  const mode = node.attributeString('mode', 'constant');
  const { begins, ends } = widths(node, graph, graph.rankOf(x));
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

function widths(
  node: GradientNode,
  graph: GradientGraph,
  rank: number,
): { begins: number[]; ends: number[] } {
  const pads =
    graph.opset < 11
      ? node.attributeInts('pads')
      : (graph.intsOf(node.inputs[1]!) ?? graph.fail('its widths are not constant'));
  const [begins, ends] = [Array<number>(rank).fill(0), Array<number>(rank).fill(0)];
  const named = node.inputs[3] ?? '';
  const axes =
    named === ''
      ? begins.map((_, axis) => axis)
      : (graph.intsOf(named) ?? graph.fail('its axes are not constant'));
  for (const [i, axis] of axes.entries()) {
    const at = axis < 0 ? axis + rank : axis;
    begins[at] = pads[i]!;
    ends[at] = pads[axes.length + i]!;
  }
  return { begins, ends };
}

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
