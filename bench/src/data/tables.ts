/**
 * The tables of the questions, made by DuckDB from a seed: the group-by table G1 of the db-benchmark with its
 * 100 groups, without missing values, and the join tables, in which nine of ten keys have a partner.
 *
 * Each value is a hash of the seed, the column and the row, so that the rows do not depend on threads.
 */
import { join, parse } from 'node:path';
import type { DuckDb, Tables } from './duckdb.ts';

export type Format = 'csv' | 'parquet';
const SEED = 42;
/** Groups of id1, id2, id4 and id5. */
const K = 100;

/** Twice, because the hashes of several values share their low bits between the columns. */
const hashOf = (column: string): string => `hash(hash(i, '${column}', ${SEED}))`;
/** From 1 to `most`. */
const drawn = (column: string, most: number): string =>
  `(${hashOf(column)} % ${most} + 1)::INTEGER`;
const fraction = (column: string): string => `(${hashOf(column)} % 100000000 / 1000000)::DOUBLE`;
const named = (number: string, digits: number): string =>
  `'id' || lpad((${number})::VARCHAR, ${digits}, '0')`;

/** The group-by table. */
export async function writeGroupTable(
  duckdb: DuckDb,
  folder: string,
  rows: number,
): Promise<Tables> {
  const query = `SELECT ${named(drawn('id1', K), 3)} AS id1, ${named(drawn('id2', K), 3)} AS id2,
      ${named(drawn('id3', rows / K), 10)} AS id3, ${drawn('id4', K)} AS id4, ${drawn('id5', K)} AS id5,
      ${drawn('id6', rows / K)} AS id6, ${drawn('v1', 5)} AS v1, ${drawn('v2', 15)} AS v2, ${fraction('v3')} AS v3
    FROM ${NUMBERS}`;
  return { data: await write(duckdb, folder, 'group', query, 'parquet', rows) };
}

/** The left table as `data`, with `small`, `medium` and `big`; their keys are a millionth, a thousandth and all of its rows. */
export async function writeJoinTables(
  duckdb: DuckDb,
  folder: string,
  rows: number,
): Promise<Tables> {
  const [small, medium] = [Math.max(2, rows / 1e6), rows / 1e3];
  /** The numbers id1 to id3, and as texts id4 to id6. */
  const keys = (...numbers: readonly number[]): string =>
    numbers.map((at) => `id${at}, ${named(`id${at}`, 10)} AS id${at + 3}`).join(', ');
  const right = (ids: string, count: number): string =>
    `SELECT ${ids}, ${fraction('v2')} AS v2 FROM (SELECT i, i + ${partnerless(count)} + 1 AS own FROM ${NUMBERS})`;
  // A prime, so that each number occurs once, far from the numbers before and after it.
  const permuted = (from: string): string => `(${from} * 2654435761 % ${rows})::BIGINT + 1`;
  const queries: Record<string, string> = {
    data: `SELECT ${keys(1, 2, 3)}, v1
      FROM (SELECT ${drawn('id1', small)} AS id1, ${drawn('id2', medium)} AS id2,
        ${permuted('i')} AS id3, ${fraction('v1')} AS v1 FROM ${NUMBERS})`,
    small: `SELECT ${keys(1)}, v2 FROM (${right('own AS id1', small)})`,
    medium: `SELECT ${keys(1, 2)}, v2
      FROM (${right(`${drawn('id1', small)} AS id1, own AS id2`, medium)})`,
    big: `SELECT ${keys(1, 2, 3)}, v2
      FROM (${right(
        `${drawn('id1', small)} AS id1, ${drawn('id2', medium)} AS id2,
        ${permuted('i')} + ${partnerless(rows)} AS id3`,
        rows,
      )})`,
  };
  const tables: Record<string, string> = {};
  const counts: Record<string, number> = { data: rows, small, medium, big: rows };
  for (const [name, query] of Object.entries(queries)) {
    tables[name] = await write(duckdb, folder, `join-${name}`, query, 'parquet', counts[name]);
  }
  return tables;
}

/** The same tables as CSV, next to the given ones; of each the first rows. */
export async function asCsv(duckdb: DuckDb, tables: Tables, rows: number): Promise<Tables> {
  const written: Record<string, string> = {};
  for (const [name, path] of Object.entries(tables)) {
    const { dir, name: own } = parse(path);
    written[name] = await write(duckdb, dir, own, `FROM '${path}' LIMIT ${rows}`, 'csv');
  }
  return written;
}

/** Keys of either side that the other lacks. */
const partnerless = (count: number): number => Math.max(1, Math.round(count / 10));

/** Six million rows, 226 MB: orders of ten thousand products. */
export async function writeOrders(duckdb: DuckDb, folder: string): Promise<Tables> {
  const query = `SELECT i AS number, 'product-' || lpad(${drawn('product', 10_000)}::VARCHAR, 11, '0') AS product,
      ${drawn('count', 9)} AS pieces, (${drawn('amount', 1_000_000)} / 100)::DECIMAL(9, 2) AS amount
    FROM ${NUMBERS}`;
  return { data: await write(duckdb, folder, 'orders', query, 'csv', 6_000_000) };
}

/** Texts that occur twice each, far apart: to group them, all of them are held. */
export async function writeTexts(duckdb: DuckDb, folder: string, bytes: number): Promise<Tables> {
  const texts = Math.round(bytes / 2 / TEXT_BYTES);
  const number = `i % ${texts}`;
  const text = `to_hex(hash(${number}) | (1::UBIGINT << 63)) || lpad((${number})::VARCHAR, 80, '.')`;
  const query = `SELECT i % 97 AS key, ${text} AS text FROM ${NUMBERS}`;
  return { data: await write(duckdb, folder, 'texts', query, 'csv', 2 * texts) };
}

/** A row of `writeTexts`: its text, a key of two digits, the comma and the end of the line. */
const TEXT_BYTES = 6 * 16 + 4;

/** Files of about 4 KiB. @returns their paths. */
export async function writeShards(
  duckdb: DuckDb,
  folder: string,
  count: number,
): Promise<string[]> {
  const rows = 280;
  const paths = Array.from({ length: count }, (_, at) => join(folder, `shard-${at}.csv`));
  const statements = paths.map((path, at) => {
    const query = `SELECT i AS number, ${drawn('key', 97)} AS key, ${drawn('n', 1_000_000)} AS n
      FROM range(${at * rows}, ${(at + 1) * rows}) t(i)`;
    return copyTo(query, path, 'csv');
  });
  await duckdb.ask({ statements });
  return paths;
}

/** The table of the numbers `i` from 0. All threads read a table; one alone would read DuckDB's `range`. */
const NUMBERS = 'numbers';

/** @param count of NUMBERS. */
async function write(
  duckdb: DuckDb,
  folder: string,
  name: string,
  query: string,
  format: Format,
  count = 0,
): Promise<string> {
  const path = join(folder, `${name}.${format}`);
  const numbers = `CREATE TABLE ${NUMBERS} AS SELECT range AS i FROM range(${count})`;
  await duckdb.ask({ statements: [numbers, copyTo(query, path, format)] });
  return path;
}

const HOW: Record<Format, string> = {
  csv: 'FORMAT csv, HEADER',
  parquet: 'FORMAT parquet, COMPRESSION zstd',
};

/** A statement that writes the rows of a query to a file. */
export const copyTo = (query: string, path: string, format: Format): string =>
  `COPY (${query}) TO '${path}' (${HOW[format]})`;
