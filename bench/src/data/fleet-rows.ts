/** Rows over two workers: how much faster they are than one, and whether kills change any result. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { median } from '../harness/statistics.ts';
import { assertSame, checkOf, startDuckDb, type DuckDb } from './duckdb.ts';
import { startDataFleet, type DataFleet } from './fleet.ts';
import { killed } from './kills.ts';
import type { Tables } from './duckdb.ts';
import { writeGroupTable } from './tables.ts';
import { renew } from './versus.ts';

const ROWS = { quick: 8_000_000, full: 20_000_000 };
const ROUNDS = { quick: 2, full: 5 };
const KILLS = { quick: 20, full: 200 };
/** Rows that kills meet: two pieces and more, and a statement that takes about as long as two kills are apart. */
const FEW_ROWS = 2_500_000;
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
      fleet = await startDataFleet(folder.path);
      const { startWorker } = fleet;
      const tables = async (): Promise<[few: Tables, many: Tables]> => [
        await tableOf(duckdb, folder.path, FEW_ROWS),
        await tableOf(duckdb, folder.path, quick ? ROWS.quick : ROWS.full),
      ];
      const [[few, many], ...workers] = await Promise.all([
        tables(),
        startWorker(0, SOLO),
        startWorker(1, 'other'),
      ]);
      const rounds = quick ? ROUNDS.quick : ROUNDS.full;
      const spread = await measureSpread(
        duckdb,
        fleet,
        few,
        Array.from({ length: rounds }, () => many),
      );
      const kills = quick ? KILLS.quick : KILLS.full;
      progress(`${kills} kills`);
      const { lost, ...others } = await killed({ duckdb, fleet, workers, tables: few, kills });
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

async function tableOf(duckdb: DuckDb, parent: string, rows: number): Promise<Tables> {
  const folder = join(parent, `rows-${rows}`);
  await mkdir(folder);
  return writeGroupTable(duckdb, folder, rows);
}

/**
 * One and two workers in turn, over the same file. The first round counts for neither.
 * @param first tables of the round that starts the engines.
 */
async function measureSpread(
  duckdb: DuckDb,
  { skein }: DataFleet,
  first: Tables,
  rounds: readonly Tables[],
) {
  const [one, two]: [number[], number[]] = [[], []];
  let plan: readonly string[] = [];
  for (const [round, tables] of [first, ...rounds].entries()) {
    // The rows of a shuffle do not depend on the condition: only a changed file is read again.
    await renew(tables);
    // True of each row, and new in each round.
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
