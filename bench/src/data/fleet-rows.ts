/** Rows over two workers: how much faster they are than one, and whether kills change any result. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';
import { assertSame, checkOf, startDuckDb, type DuckDb } from './duckdb.ts';
import { startDataFleet, type DataFleet, type FleetWorker } from './fleet.ts';
import { killed } from './kills.ts';
import type { Tables } from './duckdb.ts';
import { writeGroupTable } from './tables.ts';

const ROWS = { quick: 4_000_000, full: 20_000_000 };
const ROUNDS = { quick: 2, full: 5 };
const KILLS = { quick: 20, full: 200 };
/** Only the first worker has this label. */
const SOLO = 'solo';
const MEMORY_BYTES = 2 ** 30;

export const FLEET_ROWS: RowGroup = {
  measures: [
    {
      key: 'data_two_workers',
      what: 'medians by a key, shuffled: one worker of one core over two of one core',
      unit: '×',
      target: { atLeast: 1.6 },
    },
    {
      key: 'data_lost',
      what: 'rows lost or doubled while processes are killed (200 kills in a full run)',
      unit: '',
      target: { atMost: 0 },
    },
  ],
  async measure({ quick, progress }) {
    const folder = await temporaryFolder();
    const duckdb = startDuckDb();
    let fleet: DataFleet | undefined;
    try {
      progress('two workers of one core');
      const [tables, started] = await Promise.all([
        tablesIn(duckdb, folder.path, quick ? ROWS.quick : ROWS.full),
        startDataFleet(folder.path),
      ]);
      fleet = started;
      const workers: FleetWorker[] = [];
      for (const [core, label] of [SOLO, 'other'].entries()) {
        workers.push(await fleet.startWorker(core, label));
      }
      const spread = await measureSpread(duckdb, fleet, tables, quick ? ROUNDS.quick : ROUNDS.full);
      const kills = quick ? KILLS.quick : KILLS.full;
      progress(`${kills} kills`);
      const { lost, ...others } = await killed({ duckdb, fleet, workers, tables, kills });
      return {
        results: { data_two_workers: spread.ratio, data_lost: lost },
        details: { twoWorkers: spread, kills: others },
      };
    } finally {
      await fleet?.close();
      await duckdb.close();
      await folder.remove();
    }
  },
};

async function tablesIn(duckdb: DuckDb, folder: string, rows: number): Promise<Tables> {
  const path = join(folder, 'tables');
  await mkdir(path);
  return writeGroupTable(duckdb, path, rows);
}

/** One and two workers in turn, over the same file; the first round, which starts their engines, counts for neither. */
async function measureSpread(duckdb: DuckDb, { skein }: DataFleet, tables: Tables, rounds: number) {
  const [one, two]: [number[], number[]] = [[], []];
  let plan: readonly string[] = [];
  for (let round = 0; round <= rounds; round++) {
    // True of each row, and new in each round: no result of an earlier round is taken.
    const sql = `SELECT id6, median(v3) AS v3, count(*) AS n FROM data WHERE v2 < ${100 + round} GROUP BY id6`;
    const alone = await skein.statement(sql, tables, {
      memoryBytes: MEMORY_BYTES,
      requires: [SOLO],
    });
    const both = await skein.statement(sql, tables, { memoryBytes: MEMORY_BYTES });
    const sums = ['v3', 'n'];
    const right = await checkOf(duckdb, alone.files, sums);
    assertSame('Two workers', right, await checkOf(duckdb, both.files, sums));
    ({ plan } = both);
    if (round === 0) continue;
    one.push(alone.ms);
    two.push(both.ms);
  }
  return { ratio: median(one.map((ms, round) => ms / two[round]!)), one, two, plan };
}
