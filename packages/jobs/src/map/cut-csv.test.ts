/** Statements over one CSV file that several jobs share give the rows that DuckDB reads of the whole file. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CsvDialect } from '@skein/data/data-set';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { query } from '../../../data/src/testing/parquet.ts';
import { describedTables } from './describe-tables.ts';
import { runStatement } from './run-statement.ts';
import { inlineTools, type InlineTools } from './testing/inline-tools.ts';

let folder: string;
let inline: InlineTools;
beforeAll(() => {
  folder = testFolder();
  mkdirSync(join(folder, 'artifacts'));
  inline = inlineTools(join(folder, 'artifacts'));
});
afterAll(() => inline[Symbol.asyncDispose]());

let files = 0;
function fileOf(text: string): string {
  const path = join(folder, `table-${files++}.csv`);
  writeFileSync(path, text);
  return path;
}

async function run(
  path: string,
  sql: string,
  { csv, slots = 3, pieceBytes = 32 }: { csv?: CsvDialect; slots?: number; pieceBytes?: number },
) {
  const tools = inline.tools(slots, pieceBytes);
  const { size: sizeBytes, mtimeMs: modifiedMs } = statSync(path);
  const table = { format: 'csv' as const, csv, shards: [{ path, sizeBytes, modifiedMs }] };
  const tables = await describedTables({ data: table }, tools);
  const given = { sql, tables, group: undefined, format: 'jsonl', explain: false } as const;
  const shards = (await runStatement(given, tools)) ?? [];
  const rows = shards
    .flatMap(({ digest }) => readFileSync(inline.pathOf(digest), 'utf8').split('\n'))
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
  return { rows, plan: tools.plan };
}

/** `many` rows of three columns. */
const rowsOf = (many: number, of: (at: number) => string, line = '\n'): string =>
  Array.from({ length: many }, (_, at) => `${of(at)}${line}`).join('');

const TABLES: Record<string, readonly [text: string, csv?: CsvDialect]> = {
  'plain values': [`id,k,t\n${rowsOf(60, (at) => `${at},${at % 3},x${at}`)}`],
  'newlines in quotes': [
    `id,k,t\n${rowsOf(40, (at) => `${at},${at % 3},"${'line\n'.repeat(at % 7)}end, ""${at}"""`)}`,
  ],
  'a newline in the header': [`"id","k","a\nb"\n${rowsOf(40, (at) => `${at},1,"x\n1,2,3\n"`)}`],
  'CRLF in and after quotes': [
    `id;k;t\r\n${rowsOf(40, (at) => `${at};${at % 2};"a\r\nb;${at}"`, '\r\n')}`,
  ],
  'a byte order mark': [`\uFEFFid,k,t\n${rowsOf(40, (at) => `${at},${at % 3},"ä ${at}"`)}`],
  'a quoted header behind a byte order mark': [
    `\uFEFF"id","k","t"\n${rowsOf(40, (at) => `${at},${at % 3},"€\n${at}"`)}`,
  ],
  'no newline at the end': [`id,k,t\n${rowsOf(40, (at) => `${at},1,"y${at}"`)}99,2,"last\none"`],
  'tabs and empty values': [`id\tk\tt\n${rowsOf(60, (at) => `${at}\t\t${at % 4 ? '' : '""'}`)}`],
  'single quotes': [`id,k,t\n${rowsOf(40, (at) => `${at},1,'it''s\n"${at}'`)}`],
  'no header': [rowsOf(50, (at) => `${at},${at % 3},"x\n"`), { header: false }],
  'decimal commas': [
    `id;k;t\n${rowsOf(50, (at) => `${at};${at},5;"1.000,25"`)}`,
    { delim: ';', decimal_separator: ',', thousands: '.' },
  ],
  'texts that look like numbers': [
    `id,k,t\n${rowsOf(50, (at) => `${at},0${at},${at === 3 ? 'x' : at}`)}`,
  ],
  dates: [`id,k,t\n${rowsOf(50, (at) => `${at},0${(at % 9) + 1}/${(at % 28) + 1}/2024,x`)}`],
  times: [
    `id,k,t\n${rowsOf(50, (at) => `${at},2024-01-0${(at % 9) + 1} 10:00:00,${at % 2 === 0}`)}`,
  ],
  'doubled quotes behind the rows that DuckDB examines': [
    `id,k,t\n${rowsOf(25_000, (at) => `${at},1,"x"`)}${rowsOf(9000, (at) => `${at},1,"a""\n""${at}"`)}`,
  ],
  'missing values by a text': [
    `id,k,t\n${rowsOf(50, (at) => `${at},${at % 2 ? 'NA' : at},"NA"`)}`,
    { nullstr: 'NA' },
  ],
};

/** DuckDB's own reading of the whole file, with the settings of every table of a map. */
async function whole(path: string, csv: CsvDialect = {}): Promise<unknown[]> {
  const given = Object.entries({ header: true, skip: 0, ...csv });
  const settings = given.map(([name, value]) =>
    typeof value === 'string' ? `${name} = '${value}'` : `${name} = ${value}`,
  );
  const target = `${path}.jsonl`;
  await query(
    `COPY (FROM read_csv('${path}', ${settings.join(', ')})) TO '${target}' (FORMAT json)`,
  );
  return readFileSync(target, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
}

describe('one CSV file, cut for several jobs', () => {
  it.each(Object.entries(TABLES))('with %s', { timeout: 60_000 }, async (_, [text, csv]) => {
    const path = fileOf(text);
    const pieceBytes = Math.floor(Buffer.byteLength(text) / 5);
    const { rows, plan } = await run(path, 'FROM data', { ...(csv && { csv }), pieceBytes });
    expect(plan.join('\n')).toMatch(
      /cut: one CSV file, data, between its records into [3-5] pieces/,
    );
    expect(rows).toEqual(await whole(path, csv));
  });

  it('is grouped as the whole file is', { timeout: 60_000 }, async () => {
    const [text] = TABLES['newlines in quotes']!;
    const path = fileOf(text);
    const sql =
      'SELECT k, count(*) AS n, sum(id) AS s, max(t) AS t FROM data GROUP BY k ORDER BY k';
    const alone = await run(path, sql, { slots: 1 });
    const shared = await run(path, sql, { pieceBytes: 200 });
    expect(alone.plan).toEqual(['one statement on one worker: one job runs at once']);
    expect(shared.plan.join('\n')).toContain('cut: one CSV file');
    expect(shared.rows).toEqual(alone.rows);
    const median = 'SELECT k, median(id) AS m FROM data GROUP BY k ORDER BY k';
    expect((await run(path, median, { pieceBytes: 200 })).rows).toEqual(
      (await run(path, median, { slots: 1 })).rows,
    );
  });

  it.each([
    [
      'a quote in a value of quoted ones',
      rowsOf(30, (at) => `${at},1,${at === 20 ? '5" x' : '"y"'}`),
    ],
    ['quotes with another escape', rowsOf(30, (at) => `${at},1,"a\\"\nb"`)],
    ['comments', `# x\n${rowsOf(30, (at) => `${at},1,y\n#c`)}`],
  ])('is one piece with %s', { timeout: 60_000 }, async (_, text) => {
    const path = fileOf(`id,k,t\n${text}`);
    const { plan } = await run(path, 'SELECT count(*) AS n FROM data', {}).catch(
      (error: unknown) => ({ plan: [String(error)] }),
    );
    expect(plan.join('\n')).not.toContain('cut: one CSV file');
  });
});
