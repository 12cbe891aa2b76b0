/**
 * Operators that can be computed here with the same bits as by a runtime: those that move or keep
 * elements, and arithmetic whose result IEEE 754 rounds in one way. A float64 result rounded to
 * float32 is the float32 result for + − × ÷ √ (Figueroa, 1995).
 */
import type { InferredNode } from '../infer/inference.ts';
import { clamped, sliceRanges } from '../operators/layout/slice.ts';
import { elementTypeOf } from '../tensor/element-type.ts';
import { numbersOf, tensorOfNumbers } from '../tensor/numbers.ts';
import {
  elementCount,
  elementSize,
  tensor,
  values,
  type NumericTensor,
  type NumericType,
} from '../tensor/tensor.ts';

interface Evaluation {
  readonly node: InferredNode;
  readonly inputs: readonly NumericTensor[];
  /** The inferred shape of the result. */
  readonly shape: readonly number[];
}

type Evaluator = (evaluation: Evaluation) => NumericTensor | undefined;

export function canEvaluate(opType: string): boolean {
  return Object.hasOwn(EVALUATORS, opType);
}

/**
 * The result of a node of ai.onnx; `undefined` when its bits could differ from a runtime's.
 *
 * @param inputs every input, none omitted.
 * @param shape the inferred shape of the result, which bounds the work.
 */
export function evaluate(
  node: InferredNode,
  inputs: readonly NumericTensor[],
  shape: readonly number[],
): NumericTensor | undefined {
  if (!canEvaluate(node.opType) || inputs.length === 0) return undefined;
  return EVALUATORS[node.opType]!({ node, inputs, shape });
}

const sameBytes: Evaluator = ({ inputs: [x], shape }) =>
  elementCount(shape) === elementCount(x!.shape) ? { ...x!, shape } : undefined;

const transposed: Evaluator = ({ node, inputs: [x], shape }) => {
  const rank = x!.shape.length;
  const reversed = Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const perm = node.attributeInts('perm', reversed);
  const strides = stridesOf(x!.shape);
  return picked(
    x!,
    shape,
    perm.map((axis) => strides[axis]!),
  );
};

const concatenated: Evaluator = ({ node, inputs, shape }) => {
  const axis = counted(node.attributeInt('axis'), shape.length);
  const [{ type }] = inputs as readonly [NumericTensor];
  if (inputs.some((each) => each.type !== type)) return undefined;
  const bytes = new Uint8Array(elementCount(shape) * elementSize(type));
  const widths = inputs.map((each) => elementCount(each.shape.slice(axis)) * elementSize(type));
  const rows = elementCount(shape.slice(0, axis));
  // Constants of different ranks, whose shape inference took from the first: the runtime refuses the node.
  const width = widths.reduce((sum, each) => sum + each, 0);
  if (
    rows * width !== bytes.byteLength ||
    inputs.some((each) => each.shape.length !== shape.length)
  )
    return undefined;
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (const [i, part] of widths.entries()) {
      bytes.set(inputs[i]!.bytes.subarray(row * part, (row + 1) * part), at);
      at += part;
    }
  }
  return { type, shape, bytes };
};

const sliced: Evaluator = ({ node, inputs: [x] }) => {
  const ranges = sliceRanges(node, x!.shape.length);
  if (ranges === undefined || new Set(ranges.map(({ axis }) => axis)).size < ranges.length) {
    return undefined;
  }
  return ranges.reduce((part, { axis, start, end, step }) => {
    const [from, to] = clamped(part.shape[axis]!, start, end, step);
    const length = Math.max(0, Math.ceil((to - from) / step));
    return along(
      part,
      axis,
      Array.from({ length }, (_, i) => from + i * step),
    );
  }, x!);
};

const gathered: Evaluator = ({ node, inputs: [x, indices], shape }) => {
  const axis = counted(node.attributeInt('axis', 0), x!.shape.length);
  const size = x!.shape[axis]!;
  const positions = Array.from<number | bigint, number>(values(indices!), (at) =>
    counted(Number(at), size),
  );
  if (positions.some((at) => !(at >= 0 && at < size))) return undefined;
  return { ...along(x!, axis, positions), shape };
};

const cast: Evaluator = ({ node, inputs: [x], shape }) => {
  const type = elementTypeOf(node.attributeInt('to'));
  if (type === undefined || type === 'string') return undefined;
  const numbers: readonly (number | bigint)[] = Array.from<number | bigint>(
    numbersOf(x!) as Float64Array,
  );
  if (type === 'bool')
    return tensorOfNumbers(
      type,
      shape,
      numbers.map((each) => (each ? 1 : 0)),
    );
  return exactly(type, shape, numbers);
};

/** The numbers in another type, where it holds each of them as it is. */
function exactly(
  type: NumericType,
  shape: readonly number[],
  numbers: readonly (number | bigint)[],
): NumericTensor | undefined {
  try {
    const made = tensorOfNumbers(type, shape, numbers);
    const kept = numbersOf(made);
    return numbers.every((each, i) => isSame(each, kept[i]!)) ? made : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const isSame = (a: number | bigint, b: number | bigint): boolean =>
  // Comparison of a bigint with a number is exact.
  // oxlint-disable-next-line eqeqeq
  a == b;

const negated: Evaluator = ({ inputs: [x], shape }) => mapped(x!, shape, (each) => -each);
const root: Evaluator = ({ inputs: [x], shape }) => mapped(x!, shape, Math.sqrt);
const not: Evaluator = ({ inputs: [x], shape }) =>
  tensor(
    'bool',
    shape,
    Uint8Array.from(values(x!) as Uint8Array, (each) => (each === 0 ? 1 : 0)),
  );

function mapped(
  x: NumericTensor,
  shape: readonly number[],
  compute: (element: number) => number,
): NumericTensor | undefined {
  const elements = values(x);
  if (x.type === 'float32')
    return numeric(tensor(x.type, shape, (elements as Float32Array).map(compute)));
  if (x.type === 'float64')
    return numeric(tensor(x.type, shape, (elements as Float64Array).map(compute)));
  return undefined;
}

function arithmetic(compute: (a: number, b: number) => number): Evaluator {
  return ({ inputs: [a, b], shape }) => {
    const type = a!.type;
    if (b?.type !== type || (type !== 'float32' && type !== 'float64')) return undefined;
    const left = values(expanded(a!, shape)) as Float64Array;
    const right = values(expanded(b, shape)) as Float64Array;
    const results = left.map((each, i) => compute(each, right[i]!));
    return numeric({ type, shape, bytes: new Uint8Array(results.buffer) });
  };
}

/** Bits of a NaN differ between processors. */
function numeric(result: NumericTensor): NumericTensor | undefined {
  return (values(result) as Float64Array).some(Number.isNaN) ? undefined : result;
}

function expanded(x: NumericTensor, shape: readonly number[]): NumericTensor {
  const strides = stridesOf(x.shape);
  const missing = shape.length - x.shape.length;
  return picked(
    x,
    shape,
    shape.map((_, axis) => ((x.shape[axis - missing] ?? 1) === 1 ? 0 : strides[axis - missing]!)),
  );
}

/** The elements at multiples of strides, row by row of the new shape. */
function picked(
  x: NumericTensor,
  shape: readonly number[],
  strides: readonly number[],
): NumericTensor {
  const source = values(x);
  const result = values({ ...x, bytes: new Uint8Array(elementCount(shape) * elementSize(x.type)) });
  const at = shape.map(() => 0);
  let from = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = source[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++at[axis]! < shape[axis]!) break;
      from -= at[axis]! * strides[axis]!;
      at[axis] = 0;
    }
  }
  return { type: x.type, shape, bytes: new Uint8Array(result.buffer) };
}

/** The parts at positions of one axis. */
function along(x: NumericTensor, axis: number, positions: readonly number[]): NumericTensor {
  const inner = elementCount(x.shape.slice(axis + 1)) * elementSize(x.type);
  const outer = elementCount(x.shape.slice(0, axis));
  const row = x.shape[axis]! * inner;
  const bytes = new Uint8Array(outer * positions.length * inner);
  let at = 0;
  for (let i = 0; i < outer; i++) {
    for (const position of positions) {
      const from = i * row + position * inner;
      bytes.set(x.bytes.subarray(from, from + inner), at);
      at += inner;
    }
  }
  return { type: x.type, shape: x.shape.with(axis, positions.length), bytes };
}

function stridesOf(shape: readonly number[]): readonly number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  }
  return strides;
}

const counted = (at: number, size: number): number => (at < 0 ? at + size : at);

const EVALUATORS: Readonly<Record<string, Evaluator>> = {
  Identity: sameBytes,
  Reshape: sameBytes,
  Squeeze: sameBytes,
  Unsqueeze: sameBytes,
  Flatten: sameBytes,
  Transpose: transposed,
  Concat: concatenated,
  Slice: sliced,
  Gather: gathered,
  Cast: cast,
  Add: arithmetic((a, b) => a + b),
  Sub: arithmetic((a, b) => a - b),
  Mul: arithmetic((a, b) => a * b),
  Div: arithmetic((a, b) => a / b),
  Neg: negated,
  Sqrt: root,
  Not: not,
};
