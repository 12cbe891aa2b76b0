/** Versions of data sets as text. Pure: the time is a parameter. */
import type { DataVersion, DataVersionDetail, DataVersionName } from '@skein/api';
import { formatAge, formatBytes } from '@skein/api/units';
import type { Style } from './style.ts';
import { type Field, renderFields, renderTable } from './table.ts';

/** Lines of a list; `--json` has all. */
const SHOWN = 40;

export const nameOf = ({ name, version }: Pick<DataVersionName, 'name' | 'version'>): string =>
  `${name}@${version}`;

const counted = (count: number, one: string): string =>
  `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`;

export function sizeOf({ rows, files, sizeBytes, inPlace }: DataVersion): string {
  const place = inPlace ? ', where they lie' : '';
  return `${counted(rows, 'row')}, ${counted(files, 'file')}, ${formatBytes(sizeBytes)}${place}`;
}

/** The origin in one line. */
export function originOf({ from }: Pick<DataVersion, 'from'>): string {
  const versions = (from.versions ?? []).map(nameOf);
  const made = [...versions, ...(from.files ?? [])].join(', ');
  return from.job === undefined ? made : `${made}${made === '' ? '' : ' '}by job ${from.job}`;
}

export function renderVersions(
  versions: readonly DataVersion[],
  style: Style,
  now: number,
): string {
  return renderTable(style, versions, [
    ['VERSION', (each) => style.bold(nameOf(each))],
    ['ROWS', ({ rows }) => rows.toLocaleString('en'), 'right'],
    ['FILES', ({ files }) => files.toLocaleString('en'), 'right'],
    ['SIZE', ({ sizeBytes }) => formatBytes(sizeBytes), 'right'],
    ['FORMAT', ({ format }) => format],
    ['ADDED', ({ createdAt }) => formatAge(createdAt, now)],
    ['FROM', originOf],
  ]);
}

export function renderVersion(version: DataVersionDetail, style: Style, now: number): string {
  const { contents, uses, from } = version;
  const fields: Field[] = [
    ['contents', `${sizeOf(version)}, ${version.format}`],
    ['manifest', `sha-256 ${version.manifest}`],
    ['added', `${formatAge(version.createdAt, now)} by ${version.by}`],
    ['note', version.note || undefined],
    ['made of', originOf(version) || undefined],
    ['statement', from.statement],
    ['versions of it', uses.versions.map(nameOf).join(', ') || undefined],
    ...uses.runs.map(({ id, status, models }): Field => {
      const became = models.map(({ model, version: number }) => `${model} v${number}`).join(', ');
      return ['trained', `${id} (${status})${became === '' ? '' : ` → ${became}`}`];
    }),
  ];
  const files = contents.files.slice(0, SHOWN);
  return [
    style.bold(nameOf(version)),
    renderFields(style, fields),
    renderTable(style, contents.columns, [
      ['COLUMN', ({ name }) => name],
      ['TYPE', ({ type }) => type],
    ]),
    renderTable(style, files, [
      ['FILE', ({ digest }) => digest.slice(0, 12)],
      ['SIZE', ({ sizeBytes }) => formatBytes(sizeBytes), 'right'],
      ['PATH', ({ path = '' }) => path],
    ]) + (files.length < contents.files.length ? `\n… ${contents.files.length} in all` : ''),
  ].join('\n\n');
}
