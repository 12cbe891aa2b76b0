/** Operators that rearrange a tensor, and those that compute shapes. */
import type { Tensor } from '../tensor.ts';
import { elementCount, elementSize, values } from '../tensor.ts';
import { LONGEST_LIST } from './bounds.ts';
import { broadcast } from './broadcast.ts';
import { axisOf, shown, type Inferred, type InferenceNode, type InferenceRule } from './rule.ts';
import { isStatic, plus, product, quotient, sum, type Size } from './size.ts';

export const shapeOperators: Readonly<Record<string, InferenceRule>> = {
  Constant: (node) => [constant(node)],
  ConstantOfShape: (node) => {
    const value = node.attributeTensor('value');
    const type = value?.type ?? 'float32';
    const shape = asShape(node, 0);
    const count = isStatic(shape) ? elementCount(shape) : Infinity;
    const repeated = value === undefined ? undefined : inferredOf(value).elements?.[0];
    if (repeated === undefined || !(count >= 0 && count <= LONGEST_LIST)) return [{ type, shape }];
    return [{ type, shape, elements: Array.from({ length: count }, () => repeated) }];
  },
  Shape: (node) => {
    const { shape } = node.given(0);
    if (shape === undefined) return [{ type: 'int64', shape: [node.unknown(0)] }];
    const end = node.attributeInt('end', shape.length);
    const part = shape.slice(node.attributeInt('start', 0), end);
    return [{ type: 'int64', shape: [part.length], elements: part }];
  },
  Size: (node) => {
    const { shape } = node.given(0);
    const known = shape === undefined ? {} : { elements: [product(shape)] };
    return [{ type: 'int64', shape: [], ...known }];
  },
  Reshape: (node) => {
    const { type, shape, elements } = node.given(0);
    const kept = elements === undefined ? {} : { elements };
    return [{ type, shape: reshaped(node, shape), ...kept }];
  },
  Flatten: (node) => {
    const { type, shape } = node.given(0);
    if (shape === undefined) return [{ type, shape: [node.unknown(0), node.unknown(1)] }];
    const given = node.attributeInt('axis', 1);
    const axis = given < 0 ? given + shape.length : given;
    return [{ type, shape: [product(shape.slice(0, axis)), product(shape.slice(axis))] }];
  },
  Transpose: (node) => {
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
    const kept =
      fills(elements, shape) && isStatic(shape) ? { elements: moved(elements, shape, perm) } : {};
    return [{ type, shape: turned, ...kept }];
  },
  Squeeze: (node) => {
    const { type, shape, elements } = node.given(0);
    const kept = elements === undefined ? {} : { elements };
    const axes = namedAxes(node);
    if (shape === undefined || axes === undefined) return [{ type, shape: undefined, ...kept }];
    if (axes === 'all') {
      // A symbol may be 1 at run time.
      const known = isStatic(shape) ? shape.filter((size) => size !== 1) : undefined;
      return [{ type, shape: known, ...kept }];
    }
    const squeezed = axes.map((axis) => axisOf(node, axis, shape.length));
    for (const axis of squeezed) {
      if (typeof shape[axis] === 'number' && shape[axis] !== 1) {
        node.fail(`axis ${axis} of ${shown(shape)} cannot be squeezed: its size is not 1.`);
      }
    }
    return [{ type, shape: shape.filter((_, axis) => !squeezed.includes(axis)), ...kept }];
  },
  Unsqueeze: (node) => {
    const { type, shape, elements } = node.given(0);
    const kept = elements === undefined ? {} : { elements };
    const axes = namedAxes(node);
    if (shape === undefined || !Array.isArray(axes)) return [{ type, shape: undefined, ...kept }];
    const rank = shape.length + axes.length;
    const added = axes.map((axis) => axisOf(node, axis, rank));
    const rest = [...shape];
    const result = Array.from({ length: rank }, (_, i) => (added.includes(i) ? 1 : rest.shift()!));
    return [{ type, shape: result, ...kept }];
  },
  Concat: concat,
  Split: split,
  Slice: slice,
  Expand: (node) => {
    const { type, shape } = node.given(0);
    const wanted = asShape(node, 1);
    return [{ type, shape: wanted === undefined ? undefined : broadcast(node, [shape, wanted]) }];
  },
  Tile: (node) => {
    const { type, shape } = node.given(0);
    const repeats = node.given(1).elements;
    if (shape === undefined) return [{ type, shape }];
    if (repeats === undefined) return [{ type, shape: shape.map((_, i) => node.unknown(i)) }];
    return [{ type, shape: shape.map((size, axis) => product([size, repeats[axis] ?? 1])) }];
  },
  Pad: (node) => {
    const { type, shape } = node.given(0);
    if (shape === undefined) return [{ type, shape }];
    const pads = node.opset < 11 ? node.attributeInts('pads') : node.ints(1);
    if (pads === undefined) return [{ type, shape: shape.map((_, i) => node.unknown(i)) }];
    const axes = node.ints(3)?.map((axis) => axisOf(node, axis, shape.length)) ?? [...shape.keys()];
    if (pads.length !== 2 * axes.length) {
      node.fail(`${pads.length} pads do not fit the ${axes.length} axes of ${shown(shape)}.`);
    }
    const padded = shape.map((size, axis) => {
      const at = axes.indexOf(axis);
      return at < 0 ? size : plus(size, pads[at]! + pads[at + axes.length]!);
    });
    return [{ type, shape: padded }];
  },
  DepthToSpace: (node) => {
    const { type, shape } = node.given(0);
    if (shape?.length !== 4) return [{ type, shape: undefined }];
    const block = node.attributeInt('blocksize');
    const [n, c, h, w] = shape as [Size, Size, Size, Size];
    const channels = quotient([c], [block * block]) ?? node.unknown(1);
    return [{ type, shape: [n, channels, product([h, block]), product([w, block])] }];
  },
  SpaceToDepth: (node) => {
    const { type, shape } = node.given(0);
    if (shape?.length !== 4) return [{ type, shape: undefined }];
    const block = node.attributeInt('blocksize');
    const [n, c, h, w] = shape as [Size, Size, Size, Size];
    const part = (size: Size, axis: number) => quotient([size], [block]) ?? node.unknown(axis);
    return [{ type, shape: [n, product([c, block * block]), part(h, 2), part(w, 3)] }];
  },
};

/** What is known of a tensor that is given; the elements of a short list of integers are kept. */
export function inferredOf(value: Tensor): Inferred {
  const { type, shape } = value;
  if ((type !== 'int64' && type !== 'int32') || shape.length > 1) return { type, shape };
  // The elements of a file may be more, or fewer, than its shape says.
  const count = value.bytes.byteLength / elementSize(value.type);
  if (count > LONGEST_LIST || count !== (shape[0] ?? 1)) return { type, shape };
  return { type, shape, elements: Array.from(values(value), Number) };
}

function constant(node: InferenceNode): Inferred | undefined {
  const value = node.attributeTensor('value');
  if (value !== undefined) return inferredOf(value);
  if (node.has('value_int')) {
    return { type: 'int64', shape: [], elements: [node.attributeInt('value_int')] };
  }
  const list = node.proto.attribute.find(({ name }) => name === 'value_ints')?.ints;
  if (list !== undefined) {
    const short = list.length <= LONGEST_LIST ? { elements: list.map(Number) } : {};
    return { type: 'int64', shape: [list.length], ...short };
  }
  if (node.has('value_float')) return { type: 'float32', shape: [] };
  if (!node.has('value_floats')) return undefined;
  return { type: 'float32', shape: [node.attributeFloats('value_floats').length] };
}

/** A shape from an int64 input: its elements, or as many unknown sizes as it has elements. */
function asShape(node: InferenceNode, index: number): readonly Size[] | undefined {
  const { elements, shape } = node.given(index);
  if (elements !== undefined) return elements;
  const rank = shape?.[0];
  return typeof rank === 'number' && rank <= LONGEST_LIST
    ? Array.from({ length: rank }, (_, axis) => node.unknown(axis))
    : undefined;
}

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

/** The axes of Squeeze and Unsqueeze: an input since opset 13; `all` where none are named. */
export function namedAxes(node: InferenceNode): readonly number[] | 'all' | undefined {
  if (node.opset < 13) return node.has('axes') ? node.attributeInts('axes') : 'all';
  return (node.inputs[1] ?? '') === '' ? 'all' : node.ints(1);
}

function concat(node: InferenceNode): ReturnType<InferenceRule> {
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
  const lists = parts.map(({ elements }) => elements);
  const elements = lists.every((each) => each !== undefined) ? lists.flat() : undefined;
  return [{ type, shape: result, ...(elements === undefined ? {} : { elements }) }];
}

/** Sizes of the parts of a Split; `undefined` where they cannot be known. */
export function splitSizes(node: InferenceNode, size: Size): readonly Size[] | undefined {
  const count = node.outputs.length;
  const stated =
    node.opset < 13
      ? node.has('split')
        ? node.attributeInts('split')
        : undefined
      : (node.inputs[1] ?? '') === ''
        ? undefined
        : node.ints(1);
  if (stated !== undefined) return stated;
  if (node.opset >= 13 && (node.inputs[1] ?? '') !== '') return undefined;
  if (typeof size !== 'number') {
    const part = quotient([size], [count]);
    return part === undefined ? undefined : Array.from({ length: count }, () => part);
  }
  const part = Math.ceil(size / count);
  return Array.from({ length: count }, (_, i) =>
    i === count - 1 ? size - part * (count - 1) : part,
  );
}

function split(node: InferenceNode): ReturnType<InferenceRule> {
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
}

/** What a Slice takes: start, end, axis and step of each sliced axis; `undefined` where it cannot be known. */
export function sliceRanges(
  node: InferenceNode,
  rank: number,
): readonly { axis: number; start: number; end: number; step: number }[] | undefined {
  const old = node.opset < 10;
  const starts = old ? node.attributeInts('starts') : node.ints(1);
  const ends = old ? node.attributeInts('ends') : node.ints(2);
  const every = starts?.map((_, i) => i);
  const optional = (index: number, absent: readonly number[] | undefined) =>
    (node.inputs[index] ?? '') === '' ? absent : node.ints(index);
  const axes = old ? node.attributeInts('axes', every ?? []) : optional(3, every);
  const steps = old
    ? starts?.map(() => 1)
    : optional(
        4,
        starts?.map(() => 1),
      );
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

function slice(node: InferenceNode): ReturnType<InferenceRule> {
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
  return [{ type, shape: result, ...(part === undefined ? {} : { elements: part }) }];
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

/** Whether a list has exactly the elements of a shape. */
function fills(list: readonly Size[] | undefined, shape: readonly Size[]): list is readonly Size[] {
  return list !== undefined && isStatic(shape) && elementCount(shape) === list.length;
}

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

function clamped(size: number, start: number, end: number, step: number): [number, number] {
  const clamp = (at: number, low: number, high: number) =>
    Math.min(Math.max(at < 0 ? at + size : at, low), high);
  return step > 0
    ? [clamp(start, 0, size), clamp(end, 0, size)]
    : [clamp(start, 0, size - 1), clamp(end, -1, size - 1)];
}
