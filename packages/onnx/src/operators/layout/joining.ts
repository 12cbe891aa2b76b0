/** Concat and Split; each is the gradient of the other. */
import type { GradientRule } from '../../gradient/rule.ts';
import {
  axisOf,
  type Inferred,
  shown,
  type InferenceNode,
  type InferenceRule,
} from '../../infer/rule.ts';
import { fills, isStatic, quotient, sum, type Size } from '../../infer/size.ts';
import { elementCount } from '../../tensor/tensor.ts';
import type { Operators } from '../operator.ts';
import { sizeOf } from './slicing.ts';

const inferConcat: InferenceRule = (node) => {
  const { type } = node.given(0);
  const parts = node.inputs.map((_, index) => node.given(index));
  const shapes = parts.map(({ shape }) => shape);
  if (!shapes.every((shape) => shape !== undefined)) return [{ type, shape: undefined }];
  const first = shapes[0]!;
  const axis = axisOf(node, node.attributeInt('axis'), first.length);
  const result = first.map((_, i) => {
    const sizes = shapes.map(
      (shape) => shape[i] ?? node.fail(`${shapes.map(shown).join(' and ')} differ in rank.`),
    );
    if (i === axis) return sum(sizes);
    const numbers = sizes.filter((size) => typeof size === 'number');
    if (numbers.some((size) => size !== numbers[0])) {
      node.fail(`${shapes.map(shown).join(' and ')} cannot be joined along axis ${axis}.`);
    }
    return numbers[0] ?? sizes[0]!;
  });
  return [{ type, shape: result, elements: joined(parts, axis) }];
};

/** The elements of row-major lists that are joined along an axis: in each row, one list after the other. */
function joined(parts: readonly Inferred[], axis: number): readonly Size[] | undefined {
  const lists = parts.map(({ elements, shape }) =>
    fills(elements, shape!)
      ? { elements, rows: elementCount(shape!.slice(0, axis) as number[]) }
      : undefined,
  );
  if (!lists.every((each) => each !== undefined)) return undefined;
  return Array.from({ length: lists[0]!.rows }, (_, row) =>
    lists.flatMap(({ elements, rows }) => {
      const length = elements.length / rows;
      return elements.slice(row * length, (row + 1) * length);
    }),
  ).flat();
}

const splitAgain: GradientRule = (node, graph) => {
  const g = node.outputGradients[0]!;
  const rank = graph.rankOf(node.inputs[0]!);
  const axis = axisOf(node, node.attributeInt('axis'), rank);
  if (node.inputs.length === 1) return [g];
  const sizes = node.inputs.map((name) => graph.shapeOf(name)?.[axis]);
  const known = sizes.every((size) => typeof size === 'number');
  if (known && graph.opset < 13) {
    return graph.emitAll('Split', [g], { axis, split: sizes }, sizes.length);
  }
  if (graph.opset < 13)
    graph.fail('the sizes of its parts cannot be inferred; export with opset 13');
  const list = known
    ? graph.ints(sizes)
    : graph.concat(
        node.inputs.map((name) => sizeOf(graph, name, axis)),
        0,
      );
  return graph.emitAll('Split', [g, list], { axis }, node.inputs.length);
};

/** Sizes of the parts of a Split; `undefined` where they cannot be known. */
function splitSizes(node: InferenceNode, size: Size): readonly Size[] | undefined {
  const count = node.outputs.length;
  if (node.opset >= 13 && node.hasInput(1)) return node.ints(1);
  if (node.opset < 13 && node.has('split')) return node.attributeInts('split');
  if (typeof size !== 'number') {
    const part = quotient([size], [count]);
    return part === undefined ? undefined : Array.from({ length: count }, () => part);
  }
  const part = Math.ceil(size / count);
  return Array.from({ length: count }, (_, i) =>
    i === count - 1 ? size - part * (count - 1) : part,
  );
}

const inferSplit: InferenceRule = (node) => {
  const { type, shape } = node.given(0);
  if (shape === undefined) return node.outputs.map(() => ({ type, shape }));
  const axis = axisOf(node, node.attributeInt('axis', 0), shape.length);
  const sizes = splitSizes(node, shape[axis]!);
  if (isStatic(sizes) && typeof shape[axis] === 'number' && sum(sizes) !== shape[axis]) {
    node.fail(`parts of ${sizes.join(', ')} do not add up to axis ${axis} of ${shown(shape)}.`);
  }
  return node.outputs.map((name, part) => ({
    type,
    shape: shape.map((size, i) => (i === axis ? (sizes?.[part] ?? `?${name}:${i}`) : size)),
  }));
};

/** A part that is not used gets zeros. */
const joinedAgain: GradientRule = (node, graph) => {
  const rank = graph.rankOf(node.inputs[0]!);
  const axis = axisOf(node, node.attributeInt('axis', 0), rank);
  const parts = node.outputs.map((name, index) => node.outputGradients[index] ?? graph.zeros(name));
  return [graph.concat(parts, axis)];
};

export const joining: Operators = {
  Concat: { infer: inferConcat, gradient: splitAgain },
  Split: { infer: inferSplit, gradient: joinedAgain },
};
