/** `skein data split`: parts of a table for training, validation and test, without leakage. */
import type { Source } from '@skein/data/data-set';
import type { Part, Proof } from '@skein/data/split';
import { defineCommand } from '../../command-line/command.ts';
import { decimal, integer, many, text, withDefault } from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import {
  filesArgument,
  statementOptions,
  storedTable,
  withStatements,
} from '../../jobs/ask-tables.ts';
import { columnsOfTable } from '../../jobs/profile-tables.ts';
import { openSink, writeResult } from '../../jobs/sink.ts';
import { renderTable } from '../../output/table.ts';

export interface SplitOutcome extends Proof {
  /** Manifests of the parts. */
  readonly parts: Readonly<Record<Part, string>>;
}

const NAMES: readonly Part[] = ['train', 'validation', 'test'];

const share = (summary: string, standard: string) =>
  withDefault(decimal('SHARE', summary, [0, 1]), standard);

export const dataSplit = defineCommand({
  name: 'data split',
  summary: 'Split a table into train, validation and test, without leakage.',
  details:
    'A row’s part follows from a hash of its group and the seed, so it stays when rows are added. Equal rows, and rows of one group, have one part. Each part gets the same shares of labels with --label. The first rows are for training, and the last for the test, with --by-time. The written parts are counted again: the report shows the rows and groups that two parts share, which are none.',
  examples: {
    'skein data split visits.csv --by patient --out parts': 'All rows of a patient in one part',
    'skein data split heart@1 --label disease --out parts': 'Labels with equal shares in each part',
    'skein data split sales.parquet --by-time day --out parts': 'The last days for the test',
  },
  arguments: { files: filesArgument },
  options: {
    out: text('FOLDER', 'Folder for train, validation and test, each with a manifest.'),
    train: share('Share of the rows for training.', '0.8'),
    validation: share('Share for validation.', '0.1'),
    test: share('Share for the test.', '0.1'),
    by: many('COLUMN', 'Rows with equal values in this column stay together.'),
    label: text('COLUMN', 'Column whose values get equal shares in each part.'),
    byTime: text('COLUMN', 'Split by the order of this column.'),
    seed: withDefault(integer('N', 'Seed of the hash.', [0, 2 ** 31]), '0'),
    ...statementOptions,
  },
  async run(context, { files, out, by, label, byTime, seed, train, validation, test, ...choice }) {
    if (out === undefined) throw usageError('--out FOLDER is missing: for the parts.');
    const sum = train + validation + test;
    if (Math.abs(sum - 1) > 1e-9) {
      throw usageError(`The shares of the parts must add up to 1, not ${sum}.`);
    }
    if (byTime !== undefined && (by.length > 0 || label !== undefined)) {
      throw usageError('--by-time excludes --by and --label.');
    }
    // Before any job starts, so that no work is lost for a folder that cannot be made.
    await (await openSink(context, out))[Symbol.asyncDispose]();
    const { partSql, proofSql, readProof, requireColumns } = await import('@skein/data/split');
    return withStatements(context, choice, async (statements): Promise<SplitOutcome> => {
      const data = await statements.tableOf(files);
      const columns = await columnsOfTable(statements, data);
      const types = Object.fromEntries(columns.map(({ name, type }) => [name, type]));
      const wanted = {
        columns: Object.keys(types),
        shares: [train, validation, test],
        seed,
        by,
        label,
        time: byTime,
      };
      requireColumns(
        wanted.columns,
        [...by, label, byTime].filter((name) => name !== undefined),
      );
      const tables: Record<string, Source> = { data };
      const manifests: [Part, string][] = [];
      for (const part of NAMES) {
        const sql = partSql(wanted, part);
        const manifest = await statements.store(part, sql, { data }, data.format);
        manifests.push([part, manifest]);
        const stored = await storedTable(statements.client, manifest);
        // Types that are guessed from one part could differ from another part's.
        tables[part] = { ...stored, ...(data.format === 'parquet' ? {} : { columns: types }) };
      }
      const row: Record<string, unknown> = {};
      for (const sql of proofSql(wanted)) {
        Object.assign(row, (await statements.ask('proof', sql, tables))[0]);
      }
      const proof = readProof(row);
      const lost = proof.rows - proof.train - proof.validation - proof.test;
      if (lost !== 0) {
        throw usageError(
          `${lost} rows have no value of ${byTime ?? 'a column'}: fill or filter them.`,
        );
      }
      const parts: Partial<Record<Part, string>> = {};
      for (const [part, manifest] of manifests) {
        const [list] = await writeResult(context, statements.client, manifest, `${out}/${part}`);
        parts[part] = list!;
      }
      return { ...proof, parts: parts as Record<Part, string> };
    });
  },
  render(outcome, style) {
    const { rows, sharedRows, sharedGroups, labels = [], times = [], parts } = outcome;
    const count = (number: number): string => number.toLocaleString('en');
    const percent = (number: number, all: number): string =>
      all === 0 ? '–' : `${((100 * number) / all).toFixed(1)} %`;
    const shares = (part: Part): string =>
      labels
        .filter((each) => each.part === part)
        .map((each) => `${each.label ?? 'missing'} ${percent(each.rows, outcome[part])}`)
        .join(', ');
    const span = (part: Part): string => {
      const found = times.find((each) => each.part === part);
      return found === undefined ? '' : `${found.first ?? ''} to ${found.last ?? ''}`;
    };
    const groups = sharedGroups === undefined ? '' : `, groups: ${sharedGroups}`;
    return [
      renderTable(style, NAMES, [
        ['PART', (part) => style.bold(part)],
        ['ROWS', (part) => count(outcome[part]), 'right'],
        ['SHARE', (part) => percent(outcome[part], rows), 'right'],
        [times.length > 0 ? 'FROM' : 'LABELS', (part) => shares(part) || span(part)],
      ]),
      `In more than one part: rows: ${sharedRows}${groups}`,
      style.dim(`wrote ${Object.values(parts).join(', ')}`),
    ].join('\n');
  },
});
