/** Statements in stages give the rows that one DuckDB gives, whatever the statement is. */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlacedFile } from '@skein/data/data-set';
import { repeatsSql } from '@skein/data/dedupe';
import { byChanceSql, placesSql } from '@skein/data/sample';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { writeRows } from '../../../data/src/testing/parquet.ts';
import { runStatement } from './run-statement.ts';
import type { JobTable } from './job-table.ts';
import { inlineTools, type InlineTools } from './testing/inline-tools.ts';

const FILES = 3;
const ROWS = 4000;

let folder: string;
let inline: InlineTools;
let tables: Record<string, JobTable>;

beforeAll(async () => {
  folder = testFolder();
  mkdirSync(join(folder, 'artifacts'));
  inline = inlineTools(join(folder, 'artifacts'));
  const data = Array.from({ length: FILES }, (_, at) => join(folder, `data-${at}.parquet`));
  for (const [at, file] of data.entries()) {
    await writeRows(
      file,
      `SELECT i::INTEGER AS id, 'c' || (i * 7919) % 37 AS city, (i * 31) % 11 AS k,
              CASE WHEN i % 13 = 0 THEN NULL ELSE ((i * 7907) % 1000)::BIGINT END AS amount,
              (i % 97) / 8 AS price, CASE WHEN i % 10 > 0 THEN -1 ELSE i % 7 END AS usual,
              DATE '2026-01-01' + (i % 400)::INTEGER AS day
         FROM range(${at * ROWS}, ${(at + 1) * ROWS}) t(i)`,
    );
  }
  const labels = join(folder, 'labels.parquet');
  await writeRows(labels, `SELECT 'c' || i AS city, i % 5 AS region FROM range(0, 40, 2) t(i)`);
  const others = [join(folder, 'others-0.parquet'), join(folder, 'others-1.parquet')];
  for (const [at, file] of others.entries()) {
    await writeRows(
      file,
      `SELECT (i * 3)::INTEGER AS id, 'o' || i AS name, i % 7 AS k FROM range(${at * 3000}, ${(at + 1) * 3000}) t(i)`,
    );
  }
  tables = { data: tableOf(data), labels: tableOf([labels]), others: tableOf(others) };
});
afterAll(() => inline[Symbol.asyncDispose]());

function tableOf(files: readonly string[]): JobTable {
  const shards = files.map((path): PlacedFile => {
    const { size, mtimeMs } = statSync(path);
    return { path, sizeBytes: size, modifiedMs: mtimeMs };
  });
  return { format: 'parquet', shards };
}

async function rowsOf(
  sql: string,
  {
    slots,
    pieceBytes = 2048,
    group,
  }: { slots: number; pieceBytes?: number; group?: { by: string[]; sql: string } },
): Promise<{ rows: string[]; plan: readonly string[] }> {
  const tools = inline.tools(slots, pieceBytes);
  const used = Object.entries(tables).filter(
    ([name]) => sql.includes(name) || group?.sql.includes(name),
  );
  const given = {
    sql,
    tables: Object.fromEntries(used),
    group,
    format: 'csv' as const,
    explain: false,
  };
  const shards = (await runStatement(given, tools)) ?? [];
  const rows = shards.flatMap(({ digest }) => {
    const [header = '', ...lines] = readFileSync(inline.pathOf(digest), 'utf8').trim().split('\n');
    return lines.map((line) => `${header}: ${line}`);
  });
  return { rows, plan: tools.plan };
}

/** Statements by the stages that each needs. */
const STATEMENTS: readonly (readonly [kind: 'parts' | 'merge' | 'shuffle' | 'one', sql: string])[] =
  [
    ['parts', "SELECT id, amount * 2 AS twice FROM data WHERE city < 'c2' AND amount IS NOT NULL"],
    ['parts', 'FROM data'],
    ['parts', 'SELECT id, city, region FROM data JOIN labels USING (city)'],
    ['parts', 'SELECT d.id, l.region FROM data d LEFT JOIN labels l ON d.city = l.city'],
    ['parts', 'SELECT id FROM data WHERE city IN (SELECT city FROM labels)'],
    [
      'parts',
      'WITH even AS (SELECT id, city FROM data WHERE id % 2 = 0) SELECT city, id FROM even',
    ],
    ['parts', 'SELECT id, city FROM data ORDER BY city DESC, id LIMIT 7 OFFSET 3'],
    ['parts', 'SELECT id, amount FROM data ORDER BY amount NULLS LAST, 1'],
    ['merge', 'SELECT city, sum(amount) AS total, count(*) AS n FROM data GROUP BY city'],
    ['merge', 'SELECT city, k, avg(amount), min(day), max(price) FROM data GROUP BY ALL'],
    ['merge', 'SELECT count(*), sum(amount), avg(price), count(amount), bool_or(k > 3) FROM data'],
    ['merge', 'SELECT count(*), sum(amount) FROM data WHERE id < 0'],
    [
      'merge',
      "SELECT date_trunc('month', day) AS month, sum(amount) FILTER (WHERE k > 2) / count(*) AS share FROM data GROUP BY month ORDER BY month",
    ],
    [
      'merge',
      'SELECT city, sum(amount) + 1 AS s FROM data GROUP BY 1 HAVING count(*) > 320 ORDER BY s DESC, city LIMIT 5',
    ],
    ['merge', 'SELECT region, sum(amount) AS s FROM data JOIN labels USING (city) GROUP BY region'],
    ['merge', 'SELECT lower(city) AS city, max(id) FROM data GROUP BY ALL'],
    // One value of `usual` has nine rows of ten: parts add them up before a merge; a median needs them in one partition.
    ['merge', 'SELECT usual, sum(amount) AS s, count(*) AS n FROM data GROUP BY usual'],
    [
      'shuffle',
      'SELECT usual, median(amount) AS m, count(DISTINCT id) AS n FROM data GROUP BY usual',
    ],
    ['shuffle', 'SELECT city, median(amount) AS m, stddev(price) FROM data GROUP BY city'],
    ['shuffle', 'SELECT city, count(DISTINCT k) FROM data GROUP BY city ORDER BY city'],
    ['shuffle', 'SELECT DISTINCT city, k FROM data'],
    ['shuffle', 'SELECT DISTINCT ON (city) city, id FROM data ORDER BY city, id DESC'],
    ['shuffle', 'SELECT id, row_number() OVER (PARTITION BY city ORDER BY id) AS at FROM data'],
    [
      'shuffle',
      'SELECT city, id FROM (SELECT *, row_number() OVER (PARTITION BY city ORDER BY id DESC) AS place FROM data) WHERE place <= 2',
    ],
    [
      'shuffle',
      'SELECT d.city, k, quantile_cont(price, 0.9) FROM data d WHERE amount > 10 GROUP BY d.city, k',
    ],
    ['shuffle', 'SELECT data.id, name FROM data JOIN others ON data.id = others.id'],
    ['shuffle', 'SELECT id, name, amount FROM data LEFT JOIN others USING (id)'],
    ['shuffle', 'SELECT count(*), sum(amount) FROM data JOIN others USING (id)'],
    [
      'shuffle',
      'SELECT data.city, sum(amount) AS s FROM data JOIN others ON data.id = others.id AND data.k = others.k GROUP BY data.city',
    ],
    ['one', 'SELECT median(amount) FROM data'],
    // Aggregates that DuckDB has as macros over others.
    [
      'shuffle',
      'SELECT city, geomean(price + 1) AS g, wavg(price, k) AS w FROM data GROUP BY city',
    ],
    ['one', 'SELECT geometric_mean(price + 1) AS g FROM data'],
    // The least two and the greatest two, as lists.
    [
      'shuffle',
      'SELECT city, min(amount, 2) AS least, max(amount, 2) AS most FROM data GROUP BY city',
    ],
    ['one', 'SELECT min(amount, 2) FROM data'],
    // Columns of another table that have names of its own.
    [
      'one',
      'SELECT city, median(amount) AS m FROM (SELECT labels.*, amount FROM data JOIN labels ON data.k = labels.region) GROUP BY city',
    ],
    [
      'one',
      'SELECT city, median(amount) AS m FROM (SELECT * FROM labels JOIN data ON data.k = labels.region) GROUP BY city',
    ],
    ['one', 'SELECT DISTINCT labels.* FROM data JOIN labels ON data.k = labels.region'],
    ['one', 'SELECT city, median(amount) AS m FROM data AS d(id, k, city, amount) GROUP BY city'],
    ['one', 'WITH few AS (SELECT id, k FROM data) SELECT a, b FROM few AS f(b, a)'],
    ['one', 'WITH few AS (SELECT id, k FROM data) SELECT id FROM few USING SAMPLE 100%'],
    // The row as a value has all its columns.
    ['shuffle', 'SELECT city, max(data) AS row FROM data GROUP BY city HAVING median(k) >= 0'],
    ['shuffle', 'SELECT city, max(d).price AS price, median(k) FROM data d GROUP BY city'],
    // DuckDB has means of times, and no sums of them.
    ['one', 'SELECT avg(day::TIMESTAMP) AS mean FROM data'],
    ['merge', 'SELECT city, count(*) FROM data WHERE id < 0 GROUP BY city'],
    ['merge', 'SELECT city, count(*) AS n FROM data WHERE id < 0 GROUP BY city ORDER BY n'],
    ['one', "SELECT id FROM data WHERE day < now() + INTERVAL '1000 years'"],
    ['one', 'SELECT id FROM data WHERE day < current_date + 100000'],
    [
      'one',
      'SELECT id, region FROM data JOIN (SELECT * FROM labels USING SAMPLE 100%) USING (city)',
    ],
    ['one', 'SELECT a.id FROM data a JOIN data b ON a.id = b.id + 1'],
    ['one', 'SELECT id, sum(amount) OVER (ORDER BY id) AS s FROM data'],
    ['one', 'SELECT l.region, data.id FROM data RIGHT JOIN labels l ON data.city = l.city'],
    ['one', 'SELECT city, count(*) FROM data GROUP BY ROLLUP (city)'],
    ['one', 'SELECT city FROM data UNION SELECT city FROM labels'],
    [
      'one',
      'SELECT l.city, median(amount) FROM data JOIN labels l ON data.k = l.region GROUP BY l.city',
    ],
    ['one', 'SELECT id FROM data ORDER BY amount + k, id'],
    ['one', 'SELECT * FROM (SELECT id FROM data ORDER BY id LIMIT 5)'],
    // Rows by their places, which only one worker can number; and by their values.
    ['one', repeatsSql(['city', 'k'], [{ column: 'id', descends: true }])],
    ['one', placesSql({ columns: ['id', 'city'], seed: 1, size: { rows: 500 }, by: 'city' })],
    ['parts', byChanceSql(['id', 'city'], 1, 0.3)],
  ];

describe('a statement in stages', () => {
  it.each(STATEMENTS)('%s: %s', { timeout: 60_000 }, async (kind, sql) => {
    const alone = await rowsOf(sql, { slots: 1 });
    const staged = await rowsOf(sql, { slots: 2 });
    const isOrdered = /ORDER BY(?!.*(OVER|\)))/.test(sql);
    const sorted = (rows: string[]): string[] => (isOrdered ? rows : rows.toSorted());
    expect(sorted(staged.rows)).toEqual(sorted(alone.rows));
    const [why = ''] = staged.plan;
    const found = why.startsWith('one statement')
      ? 'one'
      : staged.plan.some((line) => line.startsWith('shuffle'))
        ? 'shuffle'
        : staged.plan.some((line) => line.startsWith('merge'))
          ? 'merge'
          : 'parts';
    expect([found, why]).toEqual([kind, why]);
  });

  it('has the columns of no rows', { timeout: 60_000 }, async () => {
    const sql = 'SELECT city, count(*) AS n FROM data WHERE id < 0 GROUP BY city';
    const tools = inline.tools(2, 2048);
    const { data } = tables;
    const given = { sql, tables: { data: data! }, group: undefined, explain: false } as const;
    const [shard, ...others] = (await runStatement({ ...given, format: 'csv' }, tools)) ?? [];
    expect(others).toEqual([]);
    expect(readFileSync(inline.pathOf(shard!.digest), 'utf8')).toBe('city,n\n');
    expect(tools.plan.at(-1)).toContain('no group is left');
  });

  it('brings rows together by keys', { timeout: 60_000 }, async () => {
    const group = {
      by: ['CITY'],
      sql: 'SELECT city, mode(k ORDER BY k) AS k, count(*) AS n FROM part GROUP BY city',
    };
    const sql = 'SELECT city, k FROM data WHERE amount > 5';
    const staged = await rowsOf(sql, { slots: 2, group });
    expect(staged.plan[0]).toMatch(/^in stages/);
    expect(staged.rows.toSorted()).toEqual(
      (await rowsOf(sql, { slots: 1, group })).rows.toSorted(),
    );
  });
});
