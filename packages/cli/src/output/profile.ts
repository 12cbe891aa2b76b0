/** A profile of a table as text. */
import { formatFigure } from '@skein/api/units';
import type { ColumnChange, Profile } from '@skein/data/profile';
import type { Style } from './style.ts';
import { renderTable } from './table.ts';

export interface ShownProfile extends Profile {
  /** With --against alone. */
  readonly changes?: readonly ColumnChange[];
  readonly wrote?: string;
}

type Column = Profile['columns'][number];

/** Correlations and values that are listed; `--json` has all. */
const ASSOCIATIONS = 5;
const VALUES = 3;

const count = (value: number): string => value.toLocaleString('en');

const figure = (value: number | string | undefined): string =>
  typeof value === 'number' ? formatFigure(value) : (value ?? '');

function medianOf({ quantiles = [], approximate }: Column): string {
  const median = quantiles.find(({ share }) => share === 0.5)?.value;
  return `${median !== undefined && approximate.includes('quantiles') ? '~' : ''}${figure(median)}`;
}

function valuesOf({ top, lengths, kind }: Column): string {
  const frequent = top.filter((each) => each.count > 1);
  if (kind === 'number' || kind === 'time') return '';
  if (frequent.length === 0) {
    return lengths === undefined ? '' : `${lengths.min} to ${lengths.max} characters`;
  }
  return frequent
    .slice(0, VALUES)
    .map((each) => `${each.value} (${count(each.count)})`)
    .join(', ');
}

export function renderProfile(profile: ShownProfile, style: Style): string {
  const { rows, duplicates, columns, associations, warnings, changes, wrote } = profile;
  const strongest = associations.slice(0, ASSOCIATIONS);
  return [
    `${style.bold(`${count(rows)} rows`)}, ${columns.length} columns, ${count(duplicates)} duplicates of rows`,
    renderTable(style, columns, [
      ['COLUMN', ({ name }) => style.bold(name)],
      ['TYPE', ({ type }) => type],
      ['MISSING', ({ missing }) => count(missing), 'right'],
      [
        'DISTINCT',
        ({ distinct, approximate }) =>
          `${approximate.includes('distinct') ? '~' : ''}${count(distinct)}`,
        'right',
      ],
      ['MIN', ({ min }) => figure(min), 'right'],
      ['MEDIAN', medianOf, 'right'],
      ['MEAN', ({ mean }) => figure(mean), 'right'],
      ['MAX', ({ max }) => figure(max), 'right'],
      ['DEVIATION', ({ deviation }) => figure(deviation), 'right'],
      ['FREQUENT', valuesOf],
    ]),
    ...(strongest.length === 0
      ? []
      : [
          renderTable(style, strongest, [
            [
              'CORRELATION',
              ({ value, approximate }) => `${approximate === true ? '~' : ''}${value.toFixed(3)}`,
              'right',
            ],
            ['OF', ({ a, b }) => `${a}, ${b}`],
            ['', ({ measure }) => (measure === 'pearson' ? 'Pearson' : 'Cramér’s V')],
          ]),
        ]),
    ...(changes === undefined ? [] : [renderChanges(changes, style)]),
    ...(warnings.length === 0
      ? []
      : [
          warnings
            .map(
              ({ column, message }) =>
                `${style.yellow('!')} ${column === undefined ? '' : `${style.bold(column)}: `}${message}`,
            )
            .join('\n'),
        ]),
    ...(wrote === undefined ? [] : [style.dim(`wrote ${wrote}`)]),
  ].join('\n\n');
}

const renderChanges = (changes: readonly ColumnChange[], style: Style): string =>
  renderTable(style, changes, [
    ['AGAINST', ({ name }) => name],
    ['CHANGE', ({ change }) => (change === 'none' ? change : style.yellow(change))],
    ['INDEX', ({ stability }) => stability?.toFixed(3) ?? '', 'right'],
    ['DISTANCE', ({ distance }) => distance?.toFixed(3) ?? '', 'right'],
    ['NOTES', ({ notes }) => notes.join('; ')],
  ]);
