/** Rows about files: one of 226 MB, one that is larger than the memory, and many small ones. */
import { median } from '../harness/statistics.ts';
import type { PlacedRows } from './place.ts';
import { writeOrders, writeShards, writeTexts } from './tables.ts';
import { versus } from './versus.ts';

const MIB = 2 ** 20;
const ROUNDS = { quick: 3, full: 7 };

export const SMALL: PlacedRows = {
  measures: [
    {
      key: 'small_over_s',
      what: '226 MB of CSV grouped with a sum, a count and a median: seconds over DuckDB’s',
      unit: ' s',
      target: { atMost: 1 },
    },
  ],
  async measure(place, { quick, progress }) {
    progress('six million rows of CSV');
    const { path, remove } = await place.folder('small');
    const tables = await writeOrders(place.duckdb, path);
    const sql =
      'SELECT product, sum(amount)::DOUBLE AS total, count(*) AS orders, median(amount)::DOUBLE AS middle FROM data GROUP BY product';
    const { rounds } = await versus(
      { place, folder: path, memoryBytes: 2048 * MIB },
      { sql, sums: ['total', 'orders', 'middle'] },
      tables,
      quick ? ROUNDS.quick : ROUNDS.full,
    );
    await remove();
    const over = rounds.map(({ skeinMs, duckdbMs }) => (skeinMs - duckdbMs) / 1000);
    return { results: { small_over_s: median(over) }, details: { small: rounds } };
  },
};

/** Memory of the job: the least, and enough for two threads. */
const SPILL_MEMORY_BYTES = { quick: 320 * MIB, full: 512 * MIB };
/** Input over memory. DuckDB has 128 of the 320 MiB: twice as much as these is five times what it can hold. */
const SPILL_TIMES = { quick: 2, full: 4 };

export const SPILL: PlacedRows = {
  measures: [
    {
      key: 'spill_vs_duckdb',
      what: 'texts that occur twice each, four times the memory (quick: twice), grouped: time over DuckDB’s',
      unit: '×',
      target: { atMost: 1.8 },
    },
  ],
  async measure(place, { quick, progress }) {
    const memoryBytes = quick ? SPILL_MEMORY_BYTES.quick : SPILL_MEMORY_BYTES.full;
    const bytes = memoryBytes * (quick ? SPILL_TIMES.quick : SPILL_TIMES.full);
    progress(`${bytes / MIB} MiB of CSV in ${memoryBytes / MIB} MiB`);
    const { path, remove } = await place.folder('spill');
    const tables = await writeTexts(place.duckdb, path, bytes);
    const sql = 'SELECT text, count(*) AS n, sum(key)::BIGINT AS keys FROM data GROUP BY text';
    const { rounds } = await versus(
      { place, folder: path, memoryBytes, isTight: true },
      { sql, sums: ['n', 'keys'] },
      tables,
      quick ? 1 : 3,
    );
    await remove();
    const ratios = rounds.map(({ skeinMs, duckdbMs }) => skeinMs / duckdbMs);
    return { results: { spill_vs_duckdb: median(ratios) }, details: { spill: rounds } };
  },
};

const SHARDS = 220;

export const SHARD_ROWS: PlacedRows = {
  measures: [
    {
      key: 'shard_ms',
      what: 'a statement over 220 files of 4 KiB, per file',
      unit: ' ms',
      target: { atMost: 40 },
    },
    {
      key: 'shard_program_ms',
      what: 'a program in bubblewrap over each of 220 files of 4 KiB, with their uploads, per file',
      unit: ' ms',
      target: { atMost: 60 },
    },
  ],
  async measure({ duckdb, skein, folder }, { quick, progress }) {
    progress(`${SHARDS} files of 4 KiB`);
    const { path, remove } = await folder('shards');
    const files = await writeShards(duckdb, path, SHARDS);
    const statements: number[] = [];
    for (let round = 0; round < (quick ? 1 : 5); round++) {
      const sql = `SELECT key, sum(n) AS n, ${round} AS round FROM data GROUP BY key`;
      const { ms } = await skein.statementOver(sql, files, { memoryBytes: 512 * MIB });
      statements.push(ms / SHARDS);
    }
    const programs: number[] = [];
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      // The script has the round in it, so that no result of an earlier one is taken.
      const argv = ['/bin/sh', '-c', `cp "$0" "$1" # ${round}`, '{in}', '{out}'];
      const { ms, files: left } = await skein.program(argv, files);
      if (left.length !== SHARDS) throw new Error(`${left.length} shards where ${SHARDS} were`);
      programs.push(ms / SHARDS);
    }
    await remove();
    return {
      results: { shard_ms: median(statements), shard_program_ms: median(programs) },
      details: { shards: { statements, programs } },
    };
  },
};
