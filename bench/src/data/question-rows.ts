/** The questions of the db-benchmark, over DuckDB's time and over Dask's, and what their results leave in the store. */
import { stat } from 'node:fs/promises';
import { debianVersion } from '../harness/machine.ts';
import { median } from '../harness/statistics.ts';
import { startDask, type Dask } from './dask.ts';
import { assertSame } from './duckdb.ts';
import type { PlacedRows } from './place.ts';
import { GROUP_QUESTIONS, JOIN_QUESTIONS, UNGROUPED, type Question } from './questions.ts';
import { asCsv, writeGroupTable, writeJoinTables, type Format } from './tables.ts';
import type { Tables } from './duckdb.ts';
import { geometricMean, versus, type Versus } from './versus.ts';

const ROWS = { quick: 2_000_000, full: 10_000_000 };
/** A row of CSV takes several times as long as one of Parquet. */
const CSV_ROWS = { quick: 1_000_000, full: 10_000_000 };
const ROUNDS = { quick: 1, full: 3 };
/** Questions of a kind that Dask answers. */
const DASK_QUESTIONS = { quick: 5, full: 10 };
/** Memory of a job: the largest question holds ten million groups. */
const MEMORY_BYTES = 4 * 2 ** 30;

interface Figures {
  /** Time over DuckDB's. */
  readonly ratio: number;
  readonly skeinMs: number;
  readonly duckdbMs: number;
  readonly daskMs?: number;
}

export const QUESTION_ROWS: PlacedRows = {
  measures: [
    {
      key: 'group_vs_duckdb',
      what: 'ten questions over the group-by table, as CSV and as Parquet: time over DuckDB’s',
      unit: '×',
      target: { atMost: 1.8 },
    },
    {
      key: 'join_vs_duckdb',
      what: 'five questions over the join tables: time over DuckDB’s',
      unit: '×',
      target: { atMost: 2 },
    },
    {
      key: 'data_vs_dask',
      what: 'the same questions over CSV: the time of Dask with two workers over ours',
      unit: '×',
      target: { atLeast: 3 },
    },
    {
      key: 'stored_ratio',
      what: 'nine aggregations over CSV: bytes stored over bytes read',
      unit: '',
      target: { atMost: 0.05 },
    },
  ],
  async measure(place, { quick, progress }) {
    const rows = quick ? ROWS.quick : ROWS.full;
    const rounds = quick ? ROUNDS.quick : ROUNDS.full;
    const ofDaskAtMost = quick ? DASK_QUESTIONS.quick : DASK_QUESTIONS.full;
    const { path, remove } = await place.folder('questions');
    const side: Versus = { place, folder: path, memoryBytes: MEMORY_BYTES };
    progress(`tables of ${rows} rows, and Dask`);
    const starting = startDask(path);
    try {
      const bothFormats = async (parquet: Tables): Promise<Record<Format, Tables>> => ({
        parquet,
        csv: await asCsv(place.duckdb, parquet, quick ? CSV_ROWS.quick : CSV_ROWS.full),
      });
      const group = await bothFormats(await writeGroupTable(place.duckdb, path, rows));
      const parquet = await writeJoinTables(place.duckdb, path, rows);
      const join = quick ? { parquet, csv: {} } : await bothFormats(parquet);
      const dask = await starting;
      let [stored, read] = [0, 0];
      const ask = async (
        kind: 'group' | 'join',
        questions: readonly Question[],
        tables: Readonly<Record<Format, Tables>>,
        format: Format,
      ): Promise<Figures[]> => {
        progress(`${kind}, ${format}`);
        const all: Figures[] = [];
        for (const [at, question] of questions.entries()) {
          const before = await place.skein.storedBytes();
          const { rounds: taken, check } = await versus(side, question, tables[format], rounds);
          if (kind === 'group' && format === 'csv' && question !== UNGROUPED) {
            stored += (await place.skein.storedBytes()) - before;
            read += (await stat(tables.csv['data']!)).size;
          }
          const figures = {
            ratio: median(taken.map(({ skeinMs, duckdbMs }) => skeinMs / duckdbMs)),
            skeinMs: median(taken.map(({ skeinMs }) => skeinMs)),
            duckdbMs: median(taken.map(({ duckdbMs }) => duckdbMs)),
          };
          const isAsked = dask !== undefined && format === 'csv' && at < ofDaskAtMost;
          const answer =
            isAsked && (await askDask(dask, kind, at + 1, question, tables.csv, check));
          all.push(answer === false ? figures : { ...figures, daskMs: answer });
        }
        return all;
      };
      const groups = {
        parquet: await ask('group', GROUP_QUESTIONS, group, 'parquet'),
        csv: await ask('group', GROUP_QUESTIONS, group, 'csv'),
      };
      const joins = {
        parquet: await ask('join', JOIN_QUESTIONS, join, 'parquet'),
        csv: quick ? [] : await ask('join', JOIN_QUESTIONS, join, 'csv'),
      };
      const ofDask = [...groups.csv, ...joins.csv].flatMap(({ daskMs, skeinMs }) =>
        daskMs === undefined ? [] : [daskMs / skeinMs],
      );
      const ratios = (figures: Readonly<Record<Format, Figures[]>>): number[] =>
        Object.values(figures).flatMap((each) => each.map(({ ratio }) => ratio));
      return {
        results: {
          group_vs_duckdb: geometricMean(ratios(groups)),
          join_vs_duckdb: geometricMean(ratios(joins)),
          stored_ratio: stored / read,
          ...(ofDask.length === 0 ? {} : { data_vs_dask: geometricMean(ofDask) }),
        },
        details: {
          rows,
          groups,
          joins,
          ...(dask === undefined
            ? { dask: 'Not installed: Debian’s python3-dask and python3-distributed.' }
            : { dask: `Dask ${debianVersion('python3-dask')}, which reads CSV alone on Debian` }),
        },
      };
    } finally {
      await (await starting)?.close();
      await remove();
    }
  },
};

/** @returns milliseconds. @throws Error where Dask has other rows. */
async function askDask(
  dask: Dask,
  kind: 'group' | 'join',
  number: number,
  question: Question,
  tables: Tables,
  right: Parameters<typeof assertSame>[1],
): Promise<number> {
  const answer = await dask.ask(kind, number, question, tables);
  assertSame(`Dask, ${kind} ${number}`, right, answer);
  return answer.ms;
}
