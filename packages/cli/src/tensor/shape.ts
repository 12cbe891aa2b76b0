/** Finds the shape of given values, for an input whose declared shape is known. */
import type { Dimension } from '@skein/onnx';

/**
 * `given` is the nesting of the values: `[]` for a bare number, `[3]` for a flat list. It is taken
 * as it is when it has the declared rank. Else a flat list fills the declared shape, and values
 * that lack only the leading (batch) dimension get it as 1.
 *
 * @throws Error when no shape fits, with the expected one.
 */
export function resolveShape(
  given: readonly number[],
  declared: readonly Dimension[],
  count: number,
): number[] {
  if (given.length === declared.length) return checkedShape(given, declared);
  if (given.length === declared.length - 1 && fits([1, ...given], declared)) return [1, ...given];
  if (given.length <= 1) {
    const filled = fill(declared, count);
    if (filled !== undefined) return filled;
  }
  throw new Error(
    `${count} values of shape [${given.join(', ')}] do not fit the shape ${declaredText(declared)}`,
  );
}

/** The declared shape with its free dimensions chosen so that `count` values fill it; free ones but the first are 1. */
export function fill(declared: readonly Dimension[], count: number): number[] | undefined {
  const fixed = declared.reduce<number>(
    (product, size) => (typeof size === 'number' ? product * size : product),
    1,
  );
  const firstFree = declared.findIndex((size) => typeof size !== 'number');
  if (firstFree < 0) return fixed === count ? (declared as number[]).slice() : undefined;
  if (fixed === 0 || count % fixed !== 0) return undefined;
  return declared.map((size, index) => {
    if (typeof size === 'number') return size;
    return index === firstFree ? count / fixed : 1;
  });
}

export function declaredText(declared: readonly Dimension[]): string {
  return `[${declared.map((size) => size ?? '?').join(', ')}]`;
}

/** @throws Error when it is not a shape, or not the declared one. */
export function checkedShape(given: unknown, declared: readonly Dimension[]): number[] {
  const sizes: unknown[] = Array.isArray(given) ? given : [undefined];
  if (!sizes.every((size) => Number.isInteger(size) && Number(size) >= 0))
    throw new Error(`${JSON.stringify(given)} is not a shape`);
  const shape = sizes as number[];
  if (shape.length !== declared.length || !fits(shape, declared))
    throw new Error(`the shape [${shape.join(', ')}] does not fit ${declaredText(declared)}`);
  return [...shape];
}

function fits(given: readonly number[], declared: readonly Dimension[]): boolean {
  return declared.every((size, index) => typeof size !== 'number' || size === given[index]);
}
