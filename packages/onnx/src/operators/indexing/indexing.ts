/**
 * Reading and writing by index. The transpose of reading is adding to where it was read: elements
 * that were read twice receive both.
 */
import type { GradientGraph, GradientNode, GradientRule } from '../../gradient/rule.ts';
import {
  axisOf,
  sameAsInput,
  shown,
  type InferenceNode,
  type InferenceRule,
} from '../../infer/rule.ts';
import type { Size } from '../../infer/size.ts';
import { elementCount, values } from '../../tensor/tensor.ts';
import { counted, padZeros } from '../layout/slicing.ts';
import { inferred, type Operators } from '../operator.ts';
import { ADDING_SCATTER, fixedSizes, oneHot, rowsAdded } from './one-hot.ts';

const inferGather: InferenceRule = (node) => {
  const { type, shape, elements } = node.given(0);
  const indices = node.given(1);
  if (shape === undefined || indices.shape === undefined) return [{ type, shape: undefined }];
  const axis = axisOf(node, node.attributeInt('axis', 0), shape.length);
  const result = [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)];
  const at = node.ints(1);
  // Reading single sizes from a shape is how exported models compute shapes: from a list, with one axis.
  const list = shape.length === 1 ? elements : undefined;
  const read = list === undefined ? undefined : at?.map((index) => list.at(index));
  const known = read?.every((size) => size !== undefined) ? read : undefined;
  return [{ type, shape: result, elements: known }];
};

/** Y = X[..., indices, ...] along one axis: an embedding when that is the first. */
const gatherGradient: GradientRule = (node, graph) => {
  const [x, indices] = node.inputs as [string, string];
  const dy = node.outputGradients[0]!;
  const rank = graph.rankOf(x);
  const axis = axisOf(node, node.attributeInt('axis', 0), rank);
  // The one index that a constant of shape [] holds.
  const single = node.given(1).shape?.length === 0 ? node.ints(1)?.[0] : undefined;
  const size = graph.shapeOf(x)?.[axis];
  if (single !== undefined && typeof size === 'number') {
    const at = counted(single, size);
    const before = Array.from({ length: rank }, (_, i) => (i === axis ? at : 0));
    const after = before.map((_, i) => (i === axis ? size - 1 - at : 0));
    return [padZeros(graph, graph.unsqueeze(dy, [axis]), before, after)];
  }
  const inner = graph.rankOf(indices);
  // Indices first, [...indices, ...before axis, ...after axis], so that each picks a whole row.
  const places = Array.from({ length: inner }, (_, i) => axis + i);
  const others = Array.from({ length: rank - 1 }, (_, i) => (i < axis ? i : i + inner));
  const updates = graph.emit('Transpose', [dy], { perm: [...places, ...others] });
  const front = [axis, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis)];
  const added = graph.opset < ADDING_SCATTER ? summed() : scattered();
  const back = front.map((_, i) => front.indexOf(i));
  return [graph.emit('Transpose', [added], { perm: back })];

  function summed(): string {
    const sizes = fixedSizes(graph, x);
    const row = sizes.filter((_, i) => i !== axis);
    return rowsAdded(graph, indices, updates, sizes[axis]!, row);
  }

  function scattered(): string {
    const zeros = graph.emit('Transpose', [graph.zeros(x)], { perm: front });
    return graph.emit('ScatterND', [zeros, graph.unsqueeze(indices, [-1]), updates], {
      reduction: 'add',
    });
  }
};

/** Y[i, j] = X[indices[i, j], j] for axis 0, and so on. */
const gatherElementsGradient: GradientRule = (node, graph) => {
  const [x, indices] = node.inputs as [string, string];
  const dy = node.outputGradients[0]!;
  const axis = axisOf(node, node.attributeInt('axis', 0), graph.rankOf(x));
  if (graph.opset < ADDING_SCATTER) return [elementsAdded(graph, x, indices, dy, axis)];
  const zeros = graph.zeros(x);
  return [graph.emit('ScatterElements', [zeros, indices, dy], { axis, reduction: 'add' })];
};

/** The sum over what was read, [..., places, ...], with zeros where only X continues. */
function elementsAdded(
  graph: GradientGraph,
  x: string,
  indices: string,
  dy: string,
  axis: number,
): string {
  const [sizes, read] = [fixedSizes(graph, x), fixedSizes(graph, indices)];
  const hot = oneHot(graph, indices, sizes[axis]!, axis, x); // [..., places, read, ...]
  const each = graph.emit('Mul', [hot, graph.unsqueeze(dy, [axis])]);
  const sums = graph.reduceSum(each, [axis + 1], false);
  const behind = sizes.map((size, i) => (i === axis ? 0 : size - read[i]!));
  return padZeros(
    graph,
    sums,
    behind.map(() => 0),
    behind,
  );
}

const inferGatherND: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  const indices = node.given(1).shape;
  const depth = indices?.at(-1);
  if (shape === undefined || indices === undefined || typeof depth !== 'number') {
    return [{ type, shape: undefined }];
  }
  const batch = node.attributeInt('batch_dims', 0);
  if (batch + depth > shape.length) {
    node.fail(
      `${depth} indices after ${batch} axes of the batch are too many for ${shown(shape)}.`,
    );
  }
  return [{ type, shape: [...indices.slice(0, -1), ...shape.slice(batch + depth)] }];
};

/** Y[...] = X[indices[..., :]]; the first `batch_dims` axes of X and indices go together. */
const gatherNDGradient: GradientRule = (node, graph) => {
  const [x, indices] = node.inputs as [string, string];
  const batch = node.attributeInt('batch_dims', 0);
  const places = batch === 0 ? indices : withBatch(graph, indices, batch);
  const dy = node.outputGradients[0]!;
  if (graph.opset < ADDING_SCATTER) return [tuplesAdded(graph, x, places, dy)];
  return [graph.emit('ScatterND', [graph.zeros(x), places, dy], { reduction: 'add' })];
};

/** The sum over what was read, with one number for each index tuple. */
function tuplesAdded(graph: GradientGraph, x: string, places: string, dy: string): string {
  const sizes = fixedSizes(graph, x);
  const depth = graph.shapeOf(places)?.at(-1);
  if (typeof depth !== 'number') return graph.fail('how many axes it indexes is not fixed');
  const [indexed, row] = [sizes.slice(0, depth), sizes.slice(depth)];
  const strides = indexed.map((_, axis) => elementCount(indexed.slice(axis + 1)));
  const negative = graph.emit('Less', [places, graph.ints([0])]);
  const fromEnd = graph.emit('Add', [places, graph.ints(indexed)]);
  const positions = graph.emit('Where', [negative, fromEnd, places]);
  const steps = graph.emit('Mul', [positions, graph.ints(strides)]);
  const at = graph.reduceSum(steps, [graph.rankOf(places) - 1], false);
  return graph.reshapeLike(rowsAdded(graph, at, dy, elementCount(indexed), row), x);
}

/** Indices with the place in the batch too, as ScatterND has no batch of its own. */
function withBatch(graph: GradientGraph, indices: string, batch: number): string {
  const rank = graph.rankOf(indices);
  // [..., 1]: one index of the batch for every index tuple.
  const shape = graph.concat([firstSizes(graph, indices, rank - 1), graph.ints([1])], 0);
  const along = Array.from({ length: batch }, (_, axis) => {
    const size = graph.squeeze(
      graph.emit('Slice', [graph.shapeTensor(indices), graph.ints([axis]), graph.ints([axis + 1])]),
      [0],
    );
    const zero = graph.squeeze(graph.ints([0]), [0]);
    const one = graph.squeeze(graph.ints([1]), [0]);
    const range = graph.emit('Range', [zero, size, one]);
    const places = Array.from({ length: rank }, (_, i) => (i === axis ? -1 : 1));
    return graph.emit('Expand', [graph.reshape(range, places), shape]);
  });
  return graph.concat([...along, indices], rank - 1);
}

function firstSizes(graph: GradientGraph, value: string, count: number): string {
  return graph.emit('Slice', [graph.shapeTensor(value), graph.ints([0]), graph.ints([count])]);
}

/** Y = X with Y[indices[i, j], j] = updates[i, j] for axis 0, and so on. */
const scatterElementsGradient: GradientRule = (node, graph) => {
  const indices = node.inputs[1]!;
  const axis = node.attributeInt('axis', 0);
  return scatter(
    node,
    graph,
    (dy, zeros) => graph.emit('ScatterElements', [dy, indices, zeros], { axis }),
    (dy) => graph.emit('GatherElements', [dy, indices], { axis }),
  );
};

/** Y = X with Y[indices[..., :]] = updates. */
const scatterNDGradient: GradientRule = (node, graph) => {
  const indices = node.inputs[1]!;
  return scatter(
    node,
    graph,
    (dy, zeros) => graph.emit('ScatterND', [dy, indices, zeros]),
    (dy) => graph.emit('GatherND', [dy, indices]),
  );
};

/**
 * Common part of ScatterND and ScatterElements: they write updates over (or add them to) a copy
 * of the data. Overwritten elements receive no gradient; the updates receive the gradient of the places
 * that they went to.
 *
 * Indices that name a place twice have no defined result, and so no gradient, unless they add.
 */
function scatter(
  node: GradientNode,
  graph: GradientGraph,
  erase: (dy: string, zeros: string) => string,
  read: (dy: string) => string,
): readonly (string | undefined)[] {
  const dy = node.outputGradients[0]!;
  const reduction = node.attributeString('reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') {
    return graph.fail(`its reduction is '${reduction}'; only 'none' and 'add' are supported`);
  }
  const erased = () => (reduction === 'add' ? dy : erase(dy, graph.zeros(node.inputs[2]!)));
  return [node.wants(0) ? erased() : undefined, undefined, node.wants(2) ? read(dy) : undefined];
}

const inferOneHot: InferenceRule = (node) => {
  const { shape } = node.given(0);
  const type = node.given(2).type;
  if (shape === undefined) return [{ type, shape }];
  const axis = axisOf(node, node.attributeInt('axis', -1), shape.length + 1);
  return [{ type, shape: [...shape.slice(0, axis), depthOf(node), ...shape.slice(axis)] }];
};

/** The depth of a OneHot, which may be a constant of any numeric type. */
function depthOf(node: InferenceNode): Size {
  const known = node.given(1).elements?.[0];
  if (known !== undefined) return known;
  const value = node.tensor(1);
  if (value === undefined || value.type === 'string')
    return node.unknown(node.attributeInt('axis', -1));
  return Number(values(value)[0]);
}

export const indexing: Operators = {
  Gather: { infer: inferGather, gradient: gatherGradient },
  GatherElements: {
    infer: (node) => [{ type: node.given(0).type, shape: node.given(1).shape }],
    gradient: gatherElementsGradient,
  },
  GatherND: { infer: inferGatherND, gradient: gatherNDGradient },
  ScatterElements: { infer: sameAsInput, gradient: scatterElementsGradient },
  ScatterND: { infer: sameAsInput, gradient: scatterNDGradient },
  ...inferred('Scatter', sameAsInput),
  OneHot: { infer: inferOneHot },
};
