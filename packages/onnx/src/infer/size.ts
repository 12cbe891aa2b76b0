/**
 * Sizes of axes, and arithmetic on them. A size is a number or a symbol; a symbol may be an
 * expression such as `12*batch` or `((height+-1)/2+1)`, written in one canonical form so that
 * equally computed axes compare as equal. This is not an algebra system: expressions that are equal
 * but written differently count as different, which costs a `Shape` node, never an error.
 */
import { elementCount } from '../tensor/tensor.ts';

/** Elements of a list, such as a shape, beyond which they are not followed. */
export const LONGEST_LIST = 256;

/** A number, or a symbol. Symbols that begin with `?` stand for sizes without a name. */
export type Size = number | string;

export function product(sizes: readonly Size[]): Size {
  let number = 1;
  const symbols: string[] = [];
  for (const factor of sizes.flatMap(factors)) {
    if (typeof factor === 'number') number *= factor;
    else symbols.push(factor);
  }
  if (number === 0) return 0;
  return compose(number, symbols);
}

/** `of / by`; both are products, and the division is known to leave no remainder. `undefined` when the quotient cannot be written. */
export function quotient(of: readonly Size[], by: readonly Size[]): Size | undefined {
  const above = factors(product(of));
  let number = 1;
  let divisor = 1;
  const symbols = above.filter((each) => typeof each === 'string');
  for (const each of above) if (typeof each === 'number') number *= each;
  for (const each of factors(product(by))) {
    if (typeof each === 'number') {
      divisor *= each;
      continue;
    }
    const at = symbols.indexOf(each);
    if (at < 0) return undefined;
    symbols.splice(at, 1);
  }
  if (divisor === 0 || number % divisor !== 0) return undefined;
  return compose(number / divisor, symbols);
}

export function plus(size: Size, number: number): Size {
  if (typeof size === 'number') return size + number;
  const [, inner, added] = /^\((.+)\+(-?\d+)\)$/.exec(size) ?? [];
  if (inner !== undefined && isBalanced(inner)) return plus(inner, Number(added) + number);
  return number === 0 ? size : `(${size}+${number})`;
}

export function sum(sizes: readonly Size[]): Size {
  let number = 0;
  const symbols: string[] = [];
  for (const size of sizes) {
    if (typeof size === 'number') number += size;
    else symbols.push(size);
  }
  if (symbols.length === 0) return number;
  return plus(symbols.length === 1 ? symbols[0]! : `(${symbols.sort().join('+')})`, number);
}

export function floorDivide(size: Size, by: number): Size {
  if (by === 1) return size;
  if (typeof size === 'number') return Math.floor(size / by);
  return quotient([size], [by]) ?? `(${size}/${by})`;
}

export function ceilDivide(size: Size, by: number): Size {
  return by === 1 ? size : floorDivide(plus(size, by - 1), by);
}

export function isStatic(shape: readonly Size[] | undefined): shape is readonly number[] {
  return shape !== undefined && shape.every((size) => typeof size === 'number');
}

/** Whether a list has exactly the elements of a shape. */
export function fills(
  list: readonly Size[] | undefined,
  shape: readonly Size[],
): list is readonly Size[] {
  return list !== undefined && isStatic(shape) && elementCount(shape) === list.length;
}

function factors(size: Size): Size[] {
  if (typeof size === 'number') return [size];
  if (size.includes('(')) return isProductOfGroups(size) ? splitOutside(size) : [size];
  return size.split('*').map((each) => (/^\d+$/.test(each) ? Number(each) : each));
}

function isProductOfGroups(size: string): boolean {
  return splitOutside(size).length > 1;
}

function splitOutside(size: string): Size[] {
  const parts: Size[] = [];
  let depth = 0;
  let start = 0;
  const push = (end: number) => {
    const part = size.slice(start, end);
    parts.push(/^\d+$/.test(part) ? Number(part) : part);
    start = end + 1;
  };
  for (let i = 0; i < size.length; i++) {
    if (size[i] === '(') depth++;
    else if (size[i] === ')') depth--;
    else if (size[i] === '*' && depth === 0) push(i);
  }
  push(size.length);
  return parts;
}

function compose(number: number, symbols: readonly string[]): Size {
  if (symbols.length === 0) return number;
  const sorted = [...symbols].sort().join('*');
  return number === 1 ? sorted : `${number}*${sorted}`;
}

function isBalanced(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth++;
    else if (character === ')' && --depth < 0) return false;
  }
  return depth === 0;
}
