/** The axes of a table of counts, with their bins, as a plan publishes them. Runs in Node and in the browser. */
import type { PublicColumns } from '@skein/train';
import type { AxisTerms } from './terms.ts';

/** An axis whose bins are known. Its last bin holds the rows without a value, or with another category. */
export type Axis =
  | {
      readonly kind: 'score' | 'column';
      readonly name: string;
      /** Borders of the bins, rising, one more than bins; what lies beyond counts in the first or the last of them. */
      readonly borders: readonly number[];
    }
  | {
      readonly kind: 'label' | 'column';
      readonly name: string;
      /** One bin for each. */
      readonly categories: readonly string[];
    };
export type NumberAxis = Extract<Axis, { readonly borders: readonly number[] }>;

export const isNumeric = (axis: Axis): axis is NumberAxis => 'borders' in axis;

/** Bins with a value, without the one for rows that have none. */
export const binsOf = (axis: Axis): number =>
  isNumeric(axis) ? axis.borders.length - 1 : axis.categories.length;

/** Cells along the axis. A label is one of the classes, so that it needs no further bin. */
export const widthOf = (axis: Axis): number => binsOf(axis) + (axis.kind === 'label' ? 0 : 1);

/** The bin of a number; NaN has the last cell of the axis. */
export function binOf({ borders }: NumberAxis, value: number): number {
  const bins = borders.length - 1;
  if (Number.isNaN(value)) return bins;
  let [low, high] = [0, bins - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (value >= borders[middle]!) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Bins of a column of numbers, where the plan does not give another number. */
const BINS = 10;

/** @returns undefined: the plan has no such column, or the axis does not fit it. */
export function axisOf(terms: AxisTerms, { features, target }: PublicColumns): Axis | undefined {
  if (terms.kind === 'label') {
    if (target.kind !== 'category') return undefined;
    return { kind: 'label', name: target.name, categories: target.classes };
  }
  if (terms.kind === 'score') {
    return { kind: 'score', name: 'score', borders: terms.borders ?? evenly(terms) };
  }
  const { name, bins = BINS, borders } = terms;
  const column = features.find((each) => each.name === name);
  if (column === undefined || column.kind === 'array') return undefined;
  if (column.kind === 'number') {
    return { kind: 'column', name, borders: borders ?? evenly({ ...column, bins }) };
  }
  if (terms.bins !== undefined || borders !== undefined) return undefined;
  return { kind: 'column', name, categories: column.categories };
}

function evenly({
  low,
  high,
  bins,
}: {
  readonly low: number;
  readonly high: number;
  readonly bins: number;
}): readonly number[] {
  return Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins);
}

const nameOf = (axis: AxisTerms): string => (axis.kind === 'column' ? axis.name : axis.kind);

/** `score × label × sex; age`: for a person. */
export const tablesText = (tables: readonly (readonly AxisTerms[])[]): string =>
  tables.map((axes) => axes.map(nameOf).join(' × ')).join('; ');
