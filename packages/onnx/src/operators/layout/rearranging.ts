/**
 * Operators that move or copy elements. Each is a linear map, and its gradient the transpose of that:
 * of rearranging it is rearranging back, of repeating the sum of the copies.
 */
import type { GradientRule } from '../../gradient/rule.ts';
import { broadcast } from '../../infer/broadcast.ts';
import {
  asShape,
  axisOf,
  shown,
  type InferenceNode,
  type InferenceRule,
} from '../../infer/rule.ts';
import { fills, isStatic, product, quotient, type Size } from '../../infer/size.ts';
import { elementCount } from '../../tensor/tensor.ts';
import type { Operators } from '../operator.ts';

const rearranged: GradientRule = (node, graph) => [
  graph.reshapeLike(node.outputGradients[0]!, node.inputs[0]!),
];

const inferReshape: InferenceRule = (node) => {
  const { type, shape, elements } = node.given(0);
  return [{ type, shape: reshaped(node, shape), elements }];
};

function reshaped(
  node: InferenceNode,
  shape: readonly Size[] | undefined,
): readonly Size[] | undefined {
  const wanted = asShape(node, 1);
  if (wanted === undefined) return undefined;
  const copies = node.attributeInt('allowzero', 0) === 0;
  const sizes = wanted.map((size, axis) =>
    size === 0 && copies ? (shape?.[axis] ?? node.unknown(axis)) : size,
  );
  const open = sizes.indexOf(-1);
  if (open < 0) {
    if (isStatic(shape) && isStatic(sizes) && product(shape) !== product(sizes)) {
      node.fail(`${shown(shape)} cannot be reshaped to ${shown(sizes)}.`);
    }
    return sizes;
  }
  const rest = sizes.filter((_, axis) => axis !== open);
  const left = shape === undefined ? undefined : quotient(shape, rest);
  if (left === undefined && isStatic(shape) && isStatic(rest) && !rest.includes(0)) {
    node.fail(`${shown(shape)} cannot be reshaped to ${shown(sizes)}.`);
  }
  return sizes.map((size, axis) => (axis === open ? (left ?? node.unknown(axis)) : size));
}

const inferFlatten: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  if (shape === undefined) return [{ type, shape: [node.unknown(0), node.unknown(1)] }];
  const given = node.attributeInt('axis', 1);
  const axis = given < 0 ? given + shape.length : given;
  return [{ type, shape: [product(shape.slice(0, axis)), product(shape.slice(axis))] }];
};

const inferSqueeze: InferenceRule = (node) => {
  const { type, shape, elements } = node.given(0);
  const axes = namedAxes(node);
  if (shape === undefined || axes === undefined) return [{ type, shape: undefined, elements }];
  if (axes === 'all') {
    // A symbol may be 1 at run time.
    const known = isStatic(shape) ? shape.filter((size) => size !== 1) : undefined;
    return [{ type, shape: known, elements }];
  }
  const squeezed = axes.map((axis) => axisOf(node, axis, shape.length));
  for (const axis of squeezed) {
    if (typeof shape[axis] === 'number' && shape[axis] !== 1) {
      node.fail(`axis ${axis} of ${shown(shape)} cannot be squeezed: its size is not 1.`);
    }
  }
  return [{ type, shape: shape.filter((_, axis) => !squeezed.includes(axis)), elements }];
};

const inferUnsqueeze: InferenceRule = (node) => {
  const { type, shape, elements } = node.given(0);
  const axes = namedAxes(node);
  if (shape === undefined || !Array.isArray(axes)) return [{ type, shape: undefined, elements }];
  const rank = shape.length + axes.length;
  const added = axes.map((axis) => axisOf(node, axis, rank));
  const rest = [...shape];
  const result = Array.from({ length: rank }, (_, i) => (added.includes(i) ? 1 : rest.shift()!));
  return [{ type, shape: result, elements }];
};

/** The axes of Squeeze and Unsqueeze: an input since opset 13; `all` where none are named. */
function namedAxes(node: InferenceNode): readonly number[] | 'all' | undefined {
  if (node.opset < 13) return node.has('axes') ? node.attributeInts('axes') : 'all';
  return node.hasInput(1) ? node.ints(1) : 'all';
}

const inferTranspose: InferenceRule = (node) => {
  const { type, shape, elements } = node.given(0);
  if (shape === undefined) return [{ type, shape }];
  const perm = node.attributeInts('perm', [...shape.keys()].reverse());
  if (
    [...perm].sort((a, b) => a - b).some((axis, i) => axis !== i) ||
    perm.length !== shape.length
  ) {
    node.fail(`[${perm.join(', ')}] is not an order of the axes of ${shown(shape)}.`);
  }
  const turned = perm.map((axis) => shape[axis]!);
  const isKept = fills(elements, shape) && isStatic(shape);
  return [{ type, shape: turned, elements: isKept ? moved(elements, shape, perm) : undefined }];
};

/** The elements of a row-major list in another order of the axes. */
function moved(
  list: readonly Size[],
  shape: readonly number[],
  perm: readonly number[],
): readonly Size[] {
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  return perm.reduceRight<(at: number) => Size[]>(
    (rest, axis) => (at) =>
      Array.from({ length: shape[axis]! }, (_, i) => rest(at + i * strides[axis]!)).flat(),
    (at) => [list[at]!],
  )(0);
}

const transposedBack: GradientRule = (node, graph) => {
  const rank = graph.rankOf(node.inputs[0]!);
  const reversed = Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const perm = node.attributeInts('perm', reversed);
  const inverse = perm.map((_, axis) => perm.indexOf(axis));
  return [graph.emit('Transpose', [node.outputGradients[0]!], { perm: inverse })];
};

const inferExpand: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  const wanted = asShape(node, 1);
  return [{ type, shape: wanted === undefined ? undefined : broadcast(node, [shape, wanted]) }];
};

const summed: GradientRule = (node, graph) => [
  graph.unbroadcast(node.outputGradients[0]!, node.inputs[0]!),
];

const inferTile: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  const repeats = node.given(1).elements;
  if (shape === undefined) return [{ type, shape }];
  if (repeats === undefined) return [{ type, shape: shape.map((_, i) => node.unknown(i)) }];
  return [{ type, shape: shape.map((size, axis) => product([size, repeats[axis] ?? 1])) }];
};

/** Gradient like Expand's: with an axis of its own for the copies of each axis, they are summed over. */
const sumOfTiles: GradientRule = (node, graph) => {
  const [x, g] = [node.inputs[0]!, node.outputGradients[0]!];
  const repeats = node.ints(1);
  const rank = graph.rankOf(x);
  const shape = graph.shapeOf(x)!;
  if (repeats !== undefined && shape.every((size) => typeof size === 'number')) {
    const repeated = repeats.map((count, axis) => ({ count, size: shape[axis]! }));
    const sizes = repeated.flatMap(({ count, size }) => (count === 1 ? [size] : [count, size]));
    const axes: number[] = [];
    let at = 0;
    for (const { count } of repeated) {
      if (count === 1) at += 1;
      else {
        axes.push(at);
        at += 2;
      }
    }
    return [graph.reduceSum(graph.reshape(g, sizes), axes, false)];
  }
  // [repeats, sizes] read column by column: repeat, size, repeat, size, …
  const rows = [node.inputs[1]!, graph.shapeTensor(x)].map((list) => graph.unsqueeze(list, [1]));
  const pairs = graph.concat(rows, 1);
  const interleaved = graph.emit('Reshape', [g, graph.reshape(pairs, [-1])]);
  const copies = Array.from({ length: rank }, (_, axis) => 2 * axis);
  return [graph.reduceSum(interleaved, copies, false)];
};

export const rearranging: Operators = {
  Reshape: { infer: inferReshape, gradient: rearranged },
  Flatten: { infer: inferFlatten, gradient: rearranged },
  Squeeze: { infer: inferSqueeze, gradient: rearranged },
  Unsqueeze: { infer: inferUnsqueeze, gradient: rearranged },
  Transpose: { infer: inferTranspose, gradient: transposedBack },
  Expand: { infer: inferExpand, gradient: summed },
  Tile: { infer: inferTile, gradient: sumOfTiles },
};
