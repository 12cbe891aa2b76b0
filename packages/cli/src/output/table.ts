/** Tables for terminals: columns as wide as their content, numbers to the right, no frames. */
import { displayWidth, type Style } from './style.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/**
 * Renders rows under a dim heading. The last column is cut with `…` where the line would not fit
 * the terminal, because a wrapped table cannot be read.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: Style,
): string {
  return tableOf(
    columns,
    // A cell with a line break would look like another row.
    rows.map((row) => row.map((cell) => cell.replaceAll(/\r?\n/g, '\\n'))),
    style,
  );
}

function tableOf(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: Style,
): string {
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(row[index] ?? ''))),
  );
  const fixed = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const room = Math.max(8, style.width - fixed);
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, index) => {
        const last = index === columns.length - 1;
        const cell = last ? cut(cells[index] ?? '', room) : (cells[index] ?? '');
        const padding = ' '.repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(cell)));
        if (column.align === 'right') return padding + cell;
        return last ? cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  return [style.dim(line(columns.map((column) => column.title))), ...rows.map(line)].join('\n');
}

/** Pairs of a dim label and a value, with the values in one column. */
export function renderFields(fields: readonly (readonly [string, string])[], style: Style): string {
  const width = Math.max(...fields.map(([label]) => displayWidth(label)));
  return fields
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

function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  // Colour would be cut in the middle of its escape sequence: plain text is cut, coloured kept.
  if (text.includes('\u001B')) return text;
  let kept = '';
  let used = 0;
  for (const character of text) {
    const columns = displayWidth(character);
    if (used + columns > width - 1) break;
    kept += character;
    used += columns;
  }
  return `${kept}…`;
}
