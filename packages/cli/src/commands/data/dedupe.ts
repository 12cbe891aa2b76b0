/** `skein data dedupe`: one row of each group of equal rows, or of rows with similar texts. */
import type { Source } from '@skein/data/data-set';
import type { Near } from '@skein/data/dedupe';
import { defined } from '@skein/api/defined';
import { defineCommand } from '../../command-line/command.ts';
import { choice, decimal, many, text } from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import { filesArgument, statementOptions, withStatements } from '../../jobs/ask-tables.ts';
import {
  commandOf,
  isKept,
  keepOptions,
  keepRows,
  keptLines,
  requirePlace,
  type Kept,
} from '../../jobs/keep-rows.ts';
import { nearTexts } from '../../jobs/near-texts.ts';
import { columnsOfTable } from '../../jobs/profile-tables.ts';

export interface DedupeOutcome extends Kept {
  readonly rows: number;
  readonly kept: number;
  readonly removed: number;
  /** Groups of several different texts that are similar; with --near. */
  readonly groups?: number;
}

const THRESHOLD = 0.8;

export const dataDedupe = defineCommand({
  name: 'data dedupe',
  summary: 'Remove duplicates of rows, or rows whose texts are nearly equal.',
  details:
    'Keeps the first row of each group: in the order of the files, or of --order. The other rows keep their order. Without --by, rows are duplicates where all columns are equal. --near finds similar texts by MinHash, then compares each pair by its shingles: the similarity is the part of them that both texts have. Texts that are similar to one text are one group. Without --out and --save the command only counts.',
  examples: {
    'skein data dedupe visits.csv': 'How many rows are there more than once',
    'skein data dedupe visits.csv --by patient --order "day desc" --out last':
      'The last visit of each patient',
    "skein data dedupe 'pages/*.parquet' --near text --save pages":
      'One of each group of similar texts',
  },
  arguments: { files: filesArgument },
  options: {
    by: many('COLUMN', 'Rows with equal values in this column are duplicates.'),
    near: text('COLUMN', 'Rows with similar texts in this column are duplicates.'),
    threshold: decimal('N', `Least similarity of --near; default: ${THRESHOLD}.`, [0.1, 1]),
    shingles: choice(
      ['characters', 'words'],
      'Shingles of --near: 5 characters or 3 words in a row; default: characters.',
    ),
    order: many(
      'COLUMN [desc]',
      'Keep the row with the least value, or with desc the greatest; then the first of the files.',
    ),
    ...keepOptions,
    ...statementOptions,
  },
  async run(
    context,
    { files, by, near, threshold, shingles, order, out, save, note, ...given },
  ): Promise<DedupeOutcome> {
    if (near !== undefined && by.length > 0) throw usageError('--near excludes --by.');
    if (near === undefined && (threshold ?? shingles) !== undefined) {
      throw usageError('--threshold and --shingles are for --near COLUMN.');
    }
    const place = { out, save, note };
    await requirePlace(context, place);
    const sql = await import('@skein/data/dedupe');
    return withStatements(context, given, async (statements): Promise<DedupeOutcome> => {
      const data = await statements.tableOf(files);
      const found = await columnsOfTable(statements, data);
      const types = Object.fromEntries(found.map(({ name, type }) => [name, type]));
      const columns = Object.keys(types);
      sql.requireColumns(columns, by);
      const wanted = order.map((each) => sql.readOrder(columns, each));
      let removed: Source;
      let groups: number | undefined;
      if (near === undefined) {
        const keys = by.length > 0 ? by : columns;
        removed = await statements.table('repeats', sql.repeatsSql(keys, wanted), { data });
      } else {
        sql.requireText(types, near);
        const texts: Near = {
          column: near,
          shingles: shingles ?? 'characters',
          threshold: threshold ?? THRESHOLD,
        };
        const similar = await nearTexts(statements, data, texts);
        ({ groups } = similar);
        const tables = { data, pairs: similar.pairs };
        removed = await statements.table('removed', sql.removedSql(texts, wanted), tables);
      }
      const tables = { data, removed };
      const [row] = await statements.ask('count', sql.REMOVED_SQL, tables);
      const [rows, gone] = [Number(row!['rows']), Number(row!['removed'])];
      const outcome = { rows, kept: rows - gone, removed: gone, ...defined({ groups }) };
      if (!isKept(place)) return outcome;
      const manifest = await statements.store(
        'kept',
        sql.remainingSql(columns),
        tables,
        data.format,
      );
      const statement = commandOf('data dedupe', { by, near, threshold, shingles, order });
      const kept = await keepRows(context, statements, manifest, place, { files, statement });
      return { ...outcome, ...kept };
    });
  },
  render({ rows, kept, removed, groups, ...place }, style) {
    const count = (number: number): string => number.toLocaleString('en');
    return [
      `${count(rows)} rows: kept ${count(kept)}, removed ${count(removed)}`,
      ...(groups === undefined ? [] : [`groups of similar texts: ${count(groups)}`]),
      ...keptLines(place, style),
      ...(place.wrote === undefined && place.saved === undefined
        ? [style.dim('--out FOLDER writes the kept rows')]
        : []),
    ].join('\n');
  },
});
