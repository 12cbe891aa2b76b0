/** `skein data sample`: some rows of a table, by chance or with the shares of a column's values. */
import type { Counts } from '@skein/data/sample';
import { defineCommand } from '../../command-line/command.ts';
import { decimal, integer, text, withDefault } from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import {
  filesArgument,
  statementOptions,
  storedTable,
  withStatements,
} from '../../jobs/ask-tables.ts';
import {
  commandOf,
  isKept,
  keepOptions,
  keepRows,
  keptLines,
  requirePlace,
  type Kept,
} from '../../jobs/keep-rows.ts';
import { columnsOfTable } from '../../jobs/profile-tables.ts';
import { renderTable } from '../../output/table.ts';

export interface SampleOutcome extends Kept, Counts {}

export const dataSample = defineCommand({
  name: 'data sample',
  summary: 'Take a sample of a table: rows by chance, or with the shares of a column.',
  details:
    'A row’s place follows from a hash of its values and the seed: the same seed takes the same rows, whatever the order of the files and the number of workers. The rows keep their order. --share takes about that share of the rows. With --by each value gets that share, to half a row. --rows takes that many rows in all.',
  examples: {
    'skein data sample visits.csv --rows 1000 --out few': 'A thousand rows',
    'skein data sample heart@1 --share 0.1 --by disease --save heart-small':
      'A tenth of each label, as a data set',
  },
  arguments: { files: filesArgument },
  options: {
    rows: integer('N', 'Number of rows.', [1, Number.MAX_SAFE_INTEGER]),
    share: decimal('SHARE', 'Share of the rows.', [0, 1]),
    by: text('COLUMN', 'Column whose values have the same shares in the sample.'),
    seed: withDefault(integer('N', 'Seed of the hash.', [0, 2 ** 31]), '0'),
    ...keepOptions,
    ...statementOptions,
  },
  async run(
    context,
    { files, rows, share, by, seed, out, save, note, ...given },
  ): Promise<SampleOutcome> {
    const size = rows === undefined ? share !== undefined && { share } : { rows };
    if (size === false || (rows !== undefined && share !== undefined)) {
      throw usageError('Give the size of the sample: --rows N or --share SHARE.');
    }
    const place = { out, save, note };
    if (!isKept(place)) throw usageError('--out FOLDER or --save NAME is missing: for the rows.');
    await requirePlace(context, place);
    const sql = await import('@skein/data/sample');
    return withStatements(context, given, async (statements): Promise<SampleOutcome> => {
      const data = await statements.tableOf(files);
      const found = await columnsOfTable(statements, data);
      const types = Object.fromEntries(found.map(({ name, type }) => [name, type]));
      const columns = Object.keys(types);
      const wanted = { columns, seed, size, by };
      sql.requireColumns(columns, by === undefined ? [] : [by]);
      const { store, table } = statements;
      const manifest =
        'share' in size && by === undefined
          ? await store('sample', sql.byChanceSql(columns, seed, size.share), { data }, data.format)
          : await store(
              'sample',
              sql.chosenSql(columns),
              { data, chosen: await table('places', sql.placesSql(wanted), { data }) },
              data.format,
            );
      const stored = await storedTable(statements.client, manifest);
      const sample = data.format === 'parquet' ? stored : { ...stored, columns: types };
      const [row] = await statements.ask('counts', sql.countsSql(wanted), { data, sample });
      const statement = commandOf('data sample', { rows, share, by, seed });
      return {
        ...sql.readCounts(row!),
        ...(await keepRows(context, statements, manifest, place, { files, statement })),
      };
    });
  },
  render({ rows, taken, strata, ...place }, style) {
    const count = (number: number): string => number.toLocaleString('en');
    return [
      `${count(taken)} of ${count(rows)} rows`,
      ...(strata === undefined
        ? []
        : [
            renderTable(style, strata, [
              ['VALUE', ({ value }) => value ?? 'missing'],
              ['ROWS', (stratum) => count(stratum.rows), 'right'],
              ['SAMPLE', (stratum) => count(stratum.taken), 'right'],
            ]),
          ]),
      ...keptLines(place, style),
    ].join('\n');
  },
});
