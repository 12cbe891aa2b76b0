/**
 * Kills engines and workers with SIGKILL while statements run, and compares the rows of each statement
 * with the right ones. Every fourth kill ends a worker, which is started anew.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@skein/onnx';
import type { DuckDb } from './duckdb.ts';
import { viewsOf } from './duckdb.ts';
import { enginesOf, type DataFleet, type FleetWorker } from './fleet.ts';
import type { Tables } from './duckdb.ts';

/** Shuffled, merged, and cut into pieces. */
const STATEMENTS: readonly ((than: number) => string)[] = [
  (than) =>
    `SELECT id6, count(*) AS n, median(v3) AS middle FROM data WHERE v2 < ${than} GROUP BY id6`,
  (than) =>
    `SELECT id3, count(*) AS n, sum(v1)::BIGINT AS total FROM data WHERE v2 < ${than} GROUP BY id3`,
  (than) => `SELECT id1, id3, id6, v3 FROM data WHERE v3 < 2 AND v2 < ${than}`,
];
/** Each row has a smaller v2. Another number in each statement: no result of an earlier one is taken. */
const ABOVE_ALL = 1000;
const WORKER_EVERY = 4;
const LONGEST_PAUSE_MS = 800;
const SEED = 42;
const OPTIONS = { memoryBytes: 512 * 2 ** 20, attempts: 1000 };

export interface Killing {
  readonly duckdb: DuckDb;
  readonly fleet: DataFleet;
  readonly workers: readonly FleetWorker[];
  readonly tables: Tables;
  readonly kills: number;
}

/** @returns rows that are missing or too many in all results, and how many statements and kills there were. */
export async function killed({ duckdb, fleet, workers, tables, kills }: Killing) {
  let isOver = false;
  let [lost, rows, done] = [0, 0, 0];
  let checking = Promise.resolve();
  async function run(number: number, textOf: (than: number) => string): Promise<void> {
    for (let than = ABOVE_ALL + number; !isOver; than += STATEMENTS.length) {
      const sql = textOf(than);
      const { files } = await fleet.skein.statement(sql, tables, OPTIONS);
      // One request to DuckDB at a time.
      checking = checking.then(async () => {
        const found = await differences(duckdb, tables, sql, files);
        lost += found.different;
        rows += found.rows;
        done += 1;
      });
      await checking;
    }
  }
  async function killAll(): Promise<{ engines: number; workers: number }> {
    const random = seededRandom(SEED);
    const alive = [...workers];
    const starting = new Map<number, Promise<void>>();
    const count = { engines: 0, workers: 0 };
    while (count.engines + count.workers < kills) {
      await sleep(random.next() * LONGEST_PAUSE_MS);
      const at = Math.floor(random.next() * alive.length);
      await starting.get(at);
      const worker = alive[at]!;
      if ((count.engines + count.workers) % WORKER_EVERY === WORKER_EVERY - 1) {
        await worker.kill();
        count.workers += 1;
        const started = fleet.startWorker(at, `again-${count.workers}`);
        starting.set(
          at,
          started.then((fresh) => void (alive[at] = fresh)),
        );
        continue;
      }
      const engines = await enginesOf(worker);
      const victim = engines[Math.floor(random.next() * engines.length)];
      if (victim === undefined) continue;
      process.kill(victim, 'SIGKILL');
      count.engines += 1;
    }
    await Promise.all(starting.values());
    return count;
  }
  const running = Promise.all(STATEMENTS.map((textOf, number) => run(number, textOf)));
  const ofKills = killAll().finally(() => (isOver = true));
  const [count] = await Promise.all([ofKills, running]);
  return { lost, rows, statements: done, ...count };
}

/** Rows of one side that the other side lacks, each as often as it occurs. */
async function differences(
  { ask }: DuckDb,
  tables: Tables,
  sql: string,
  files: readonly string[],
): Promise<{ readonly different: number; readonly rows: number }> {
  const found = `FROM read_parquet([${files.map((file) => `'${file}'`).join(', ')}])`;
  const [row = {}] = await ask({
    statements: [
      ...viewsOf(tables),
      `CREATE TABLE wanted AS ${sql}`,
      `CREATE TABLE found AS ${found}`,
      `SELECT (SELECT count(*) FROM (FROM wanted EXCEPT ALL FROM found))::INTEGER
            + (SELECT count(*) FROM (FROM found EXCEPT ALL FROM wanted))::INTEGER AS different,
          (SELECT count(*) FROM wanted)::INTEGER AS rows`,
    ],
  });
  return { different: Number(row['different']), rows: Number(row['rows']) };
}
