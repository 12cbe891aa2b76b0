/**
 * Bounds the facts that inference keeps of a value, whatever a file makes a rule compute: every
 * size is a non-negative integer that a double holds exactly, or a short symbol; lists and ranks
 * are short. Every rule's result passes here, so that no loop over sizes, axes or elements exceeds
 * these bounds.
 *
 * Impossible sizes are an error; facts beyond the bounds become unknown.
 */
import { isExact, nearestNumber } from '../tensor/numbers.ts';
import { elementSize, values, type ElementType, type Tensor } from '../tensor/tensor.ts';
import type { Inferred } from './rule.ts';
import { type Size, LONGEST_LIST } from './size.ts';

/** Axes of a value; models have up to 8. */
export const MOST_AXES = 64;
/** Characters of a symbol: expressions of expressions would double at every node. */
const LONGEST_SYMBOL = 256;

/**
 * @param unknown a symbol for the size of an axis.
 * @param fail refuses a size that cannot be.
 */
export function bounded(
  { type, shape, elements }: Inferred,
  unknown: (axis: number) => Size,
  fail: (reason: string) => never,
): Inferred {
  const kept = shape === undefined || shape.length > MOST_AXES ? undefined : shape;
  const sizes = kept?.map((size, axis) => {
    if (typeof size === 'string') return size.length > LONGEST_SYMBOL ? unknown(axis) : size;
    return isSize(size) ? size : fail(`axis ${axis} would have the size ${size}.`);
  });
  const follows =
    elements !== undefined &&
    elements.length <= LONGEST_LIST &&
    elements.every((element) => isElement(element, type));
  return { type, shape: sizes, ...(follows ? { elements } : {}) };
}

/** Known facts of a tensor that is given; the elements of a short list of integers are kept. */
export function inferredOf(value: Tensor): Inferred {
  const { type, shape } = value;
  if ((type !== 'int64' && type !== 'int32') || shape.length > 1) return { type, shape };
  // The elements of a file may be more, or fewer, than its shape declares.
  const count = value.bytes.byteLength / elementSize(value.type);
  if (count > LONGEST_LIST || count !== (shape[0] ?? 1)) return { type, shape };
  return {
    type,
    shape,
    elements: Array.from<number | bigint, number>(values(value), nearestNumber),
  };
}

export function isSize(size: unknown): size is number {
  return Number.isInteger(size) && (size as number) >= 0 && isExact(size as number);
}

/** A sum of int32 that does not fit wraps around when the graph runs. */
function isElement(element: Size, type: ElementType): boolean {
  if (typeof element === 'string') return element.length <= LONGEST_SYMBOL;
  return type === 'int32' ? element === (element | 0) : Number.isSafeInteger(element);
}

/**
 * A symbol for an unknown size; different values have different symbols, however long their names
 * are.
 */
export function unknownSize(name: string, axis: number, shortNames: Map<string, number>): Size {
  if (name.length < LONGEST_SYMBOL / 2) return `?${name}:${axis}`;
  const number = shortNames.get(name) ?? shortNames.size;
  shortNames.set(name, number);
  return `?#${number}:${axis}`;
}
