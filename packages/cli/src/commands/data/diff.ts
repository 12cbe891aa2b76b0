/** `skein data diff`: two versions of data sets, by their schemas, counts and files. */
import type { DataVersionDetail } from '@skein/api';
import { formatBytes } from '@skein/api/units';
import { argument } from '../../command-line/option.ts';
import { findVersion } from '../../jobs/data-versions.ts';
import { jobsCommand } from '../../jobs/embedded.ts';
import { nameOf } from '../../output/data-version.ts';
import { type Field, renderFields, renderTable } from '../../output/table.ts';

interface ColumnChange {
  readonly name: string;
  /** Type before; absent: the column is new. */
  readonly before?: string;
  /** Type after; absent: the column is gone. */
  readonly after?: string;
}

type Pair = readonly [before: number, after: number];

export interface DataDiff {
  readonly versions: readonly [before: string, after: string];
  readonly rows: Pair;
  readonly files: Pair;
  readonly sizeBytes: Pair;
  /** Files of equal content in both. */
  readonly sameFiles: number;
  readonly columns: readonly ColumnChange[];
}

export function diffVersions(before: DataVersionDetail, after: DataVersionDetail): DataDiff {
  const types = ({ contents }: DataVersionDetail) =>
    new Map(contents.columns.map(({ name, type }) => [name, type]));
  const [old, now] = [types(before), types(after)];
  const columns: ColumnChange[] = [];
  for (const name of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(name), now.get(name)];
    if (was === is) continue;
    columns.push({
      name,
      ...(was === undefined ? {} : { before: was }),
      ...(is === undefined ? {} : { after: is }),
    });
  }
  const known = new Set(before.contents.files.map(({ digest }) => digest));
  return {
    versions: [nameOf(before), nameOf(after)],
    rows: [before.rows, after.rows],
    files: [before.files, after.files],
    sizeBytes: [before.sizeBytes, after.sizeBytes],
    sameFiles: after.contents.files.filter(({ digest }) => known.has(digest)).length,
    columns,
  };
}

export const dataDiff = jobsCommand({
  name: 'data diff',
  summary: 'Compare two versions of data sets: columns, rows, files.',
  examples: { 'skein data diff heart@1 heart@2': 'What has changed' },
  arguments: {
    before: argument('BEFORE', 'NAME@VERSION, or NAME for its newest version.'),
    after: argument('AFTER', 'The version to compare with it.'),
  },
  options: {},
  async run({ client }, { before, after }) {
    return diffVersions(await findVersion(client, before), await findVersion(client, after));
  },
  render({ versions, rows, files, sizeBytes, sameFiles, columns }, style) {
    const change = ([was, is]: Pair, text = (n: number) => n.toLocaleString('en')): string =>
      was === is ? text(is) : `${text(was)} → ${text(is)}`;
    const fields: Field[] = [
      ['rows', change(rows)],
      ['files', `${change(files)}, ${sameFiles} with equal content`],
      ['size', change(sizeBytes, formatBytes)],
      ['columns', columns.length === 0 ? 'the same' : undefined],
    ];
    return [
      style.bold(versions.join(' → ')),
      renderFields(style, fields),
      ...(columns.length === 0
        ? []
        : [
            renderTable(style, columns, [
              ['COLUMN', ({ name }) => name],
              ['BEFORE', (each) => each.before ?? '—'],
              ['AFTER', (each) => each.after ?? '—'],
            ]),
          ]),
    ].join('\n\n');
  },
});
