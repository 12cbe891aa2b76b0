/**
 * A sample image as a value: what is written where. The expected lines are not a second list, they are
 * the drawn texts themselves, in the order in which a person would read them.
 */
export interface Label {
  readonly x: number;
  /** Baseline. */
  readonly y: number;
  readonly size: number;
  readonly text: string;
  readonly weight?: 'bold';
  readonly fill?: string;
  readonly family?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
}

export interface Scene {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly background: string;
  /** SVG under the text: lines, boxes, gradients. */
  readonly decoration: string;
  /** In reading order. */
  readonly labels: readonly Label[];
  /** Clockwise turn of the finished picture in degrees; the corners are filled with grey. */
  readonly turned?: number;
  /** Standard deviation of camera noise, of 255. */
  readonly noise?: number;
  /** Gaussian blur in pixels. */
  readonly blur?: number;
  /** For JPEG and WebP. */
  readonly quality?: number;
}

export const SANS = 'DejaVu Sans';
export const SERIF = 'DejaVu Serif';
export const MONO = 'DejaVu Sans Mono';
export const ARIAL = 'Liberation Sans';

/** A horizontal line. */
export const rule = (x1: number, y: number, x2: number, colour = '#888'): string =>
  `<line x1="${x1}" y1="${y}" x2="${x2}" y2="${y}" stroke="${colour}" stroke-width="1.5"/>`;

/** Cells of a table, row by row. */
export function table(
  rows: readonly (readonly string[])[],
  columns: readonly { readonly x: number; readonly anchor?: 'end' }[],
  first: number,
  step: number,
  style: Pick<Label, 'size' | 'family'>,
): Label[] {
  return rows.flatMap((row, index) =>
    row.map((text, column) => ({ ...columns[column]!, ...style, y: first + index * step, text })),
  );
}
