/** Tables for terminals: columns as wide as their content, numbers to the right, no frames. */
import { cutTo, displayWidth, type Style } from './style.ts';

/** Its heading, its cell of a row, and the side of its numbers. */
export type Column<Row> = readonly [title: string, cell: (row: Row) => string, align?: 'right'];

/**
 * Renders rows under a dim heading. The last column is cut with `…` where the line would not fit
 * the terminal, because a wrapped table cannot be read.
 */
export function renderTable<Row>(
  style: Style,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): string {
  // A cell with a line break would look like another row.
  const cells = rows.map((row) => columns.map(([, cell]) => cell(row).replaceAll(/\r?\n/g, '\\n')));
  const titles = columns.map(([title]) => title);
  const widths = titles.map((title, index) =>
    Math.max(displayWidth(title), ...cells.map((row) => displayWidth(row[index] ?? ''))),
  );
  const fixed = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const lastWidth = Math.max(8, style.width - fixed);
  const line = (row: readonly string[]): string =>
    columns
      .map(([, , align], index) => {
        const last = index === columns.length - 1;
        const cell = last ? cutTo(row[index] ?? '', lastWidth) : (row[index] ?? '');
        const padding = ' '.repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(cell)));
        if (align === 'right') return padding + cell;
        return last ? cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  return [style.dim(line(titles)), ...cells.map(line)].join('\n');
}

export type Field = readonly [label: string, value: string | undefined];

/** Pairs of a dim label and a value, with the values in one column; a label without a value is left out. */
export function renderFields(style: Style, fields: readonly Field[]): string {
  const shown = fields.filter((field): field is [string, string] => field[1] !== undefined);
  const width = Math.max(...shown.map(([label]) => displayWidth(label)));
  return shown
    .map(
      ([label, value]) =>
        `${style.dim(label.padEnd(width))}  ${wrap(value, style.width, ' '.repeat(width + 2))}`,
    )
    .join('\n');
}

/** Breaks a text at spaces so that no line is wider than the terminal; its own breaks stay. */
export function wrap(text: string, width: number, indent = ''): string {
  return text
    .split('\n')
    .map((line) => wrapLine(line, width, indent))
    .join(`\n${indent}`);
}

function wrapLine(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && displayWidth(longer) > width - indent.length) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line].join(`\n${indent}`);
}
