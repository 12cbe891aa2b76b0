/** The figures and findings of a profile. */
import type { Column, Kind } from './columns.ts';

export interface Warning {
  readonly kind: 'constant' | 'missing' | 'unique' | 'leak' | 'infinite' | 'duplicates';
  /** Absent: the whole table. */
  readonly column?: string;
  readonly message: string;
}

export interface Count {
  readonly value: string;
  readonly count: number;
}

export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export interface ColumnProfile extends Column {
  readonly kind: Kind;
  readonly count: number;
  readonly missing: number;
  readonly distinct: number;
  /** Figures that are not exact. */
  readonly approximate: readonly ('distinct' | 'quantiles' | 'top')[];
  /** Numbers that are infinite, not a number, or beyond 1e150. */
  readonly infinite?: number;
  /** A number; of a time its text. */
  readonly min?: number | string;
  readonly max?: number | string;
  readonly mean?: number;
  /** Standard deviation of the sample. */
  readonly deviation?: number;
  readonly quantiles?: readonly { readonly share: number; readonly value: number }[];
  readonly lengths?: { readonly min: number; readonly mean: number; readonly max: number };
  /** The most frequent values, their first 100 characters. */
  readonly top: readonly Count[];
  /** All values and their counts, where there are few. */
  readonly values?: readonly Count[];
  /** Bins of equal width; times are in seconds since 1970. */
  readonly histogram?: readonly Bin[];
}

export interface Association {
  readonly a: string;
  readonly b: string;
  readonly measure: 'pearson' | 'cramer-v';
  readonly value: number;
  /** Found from a sample of the rows. */
  readonly approximate?: true;
}

export interface Profile {
  readonly rows: number;
  /** Rows that are equal to an earlier one. */
  readonly duplicates: number;
  readonly columns: readonly ColumnProfile[];
  /** The strongest first. */
  readonly associations: readonly Association[];
  readonly warnings: readonly Warning[];
}
