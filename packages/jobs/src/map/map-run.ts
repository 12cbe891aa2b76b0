/**
 * Conducts a map: a statement over tables of any size, or other work on every shard of one; and,
 * where rows are to be brought together by keys, a statement over the rows of each key.
 *
 * Rows travel between jobs as artifacts. So memory is bounded by the needs of one job, and DuckDB spills
 * the rows that exceed them.
 */
import { basename } from 'node:path';
import { SkeinError } from '@skein/api';
import { boundsOf } from '@skein/data';
import { MANIFEST, Piece, type DataSet } from '@skein/data/data-set';
import { defineBuiltin, type Builtin, type BuiltinContext } from '../tasks/builtin.ts';
import { resourcesOf } from './map-resources.ts';
import { bytesRead, paced } from './pace.ts';
import { BATCH_ROWS } from './function/json-lines.ts';
import { mapFunction } from './function/map-function.ts';
import { DATA, MapInput, MapOutput, type MapWork } from './map-input.ts';
import { pieceOf, runAll } from './run-all.ts';
import {
  builtinJob,
  shardJobs,
  type FunctionWork,
  type JobFrame,
  type ShardWork,
} from './stage-jobs.ts';
import { runStatement } from './run-statement.ts';
import type { StatementOver, Tools } from './statement-tools.ts';
import type { JobTable } from './job-table.ts';
import { describe, list, parts, scan, statement } from './statement-tasks.ts';
import { describedTables, listedTables } from './describe-tables.ts';

/** The task that conducts a map. */
export const mapRun = defineBuiltin({
  name: 'skein-map',
  input: MapInput,
  output: MapOutput,
  waits: true,
  async run(input, context) {
    const { work, group, format, folders } = input;
    const plan: string[] = [];
    let tables: Record<string, JobTable> = input.tables;
    const frame = {
      ...input,
      resources: { cores: input.cores ?? 1, memoryBytes: input.memoryBytes ?? SHARD_BYTES },
    };
    if (work?.kind === 'command' || work?.kind === 'task') {
      const table = onlyTable(input);
      plan.push(`${work.kind} over each of ${table.shards.length} shards`);
      if (input.explain) return { plan, shards: 0, sizeBytes: 0 };
      const mapped = await mapShards(work, table, input, frame, context);
      if (group === undefined) return ended(mapped, plan, context);
      tables = { [DATA]: mapped };
    }
    const sql = (isStated(work) ? work.sql : undefined) ?? `FROM ${DATA}`;
    const chosen = await resourcesOf(input, context);
    // Before any job starts: otherwise a job with too little memory fails after others have worked.
    boundsOf(chosen.resources);
    const tools = toolsOf({ ...input, resources: chosen.resources }, chosen.slots, plan, context);
    const rowsOf = async (given: Omit<StatementOver, 'explain'>, own: Tools) => {
      const known = await describedTables(await listedTables(given.tables, own), own);
      return runStatement({ ...given, tables: known, explain: input.explain }, own);
    };
    if (work?.kind !== 'function') {
      const result = await rowsOf({ sql, tables, group, format, folders }, tools);
      if (result === undefined) return { plan, shards: 0, sizeBytes: 0 };
      return ended({ format, shards: [...result] }, plan, context);
    }
    const rows = await rowsOf({ sql, tables, group: undefined, format: 'jsonl' }, tools);
    plan.push(`function ${nameOf(work)} over batches of at most ${BATCH_ROWS} rows`);
    if (rows === undefined) return { plan, shards: 0, sizeBytes: 0 };
    const mapped = await mapFunction(work, rows, frame, context);
    if (mapped.length === 0) return ended({ format, shards: [] }, plan, context);
    const made = { format: 'jsonl', shards: mapped } as const;
    const isWhole = group === undefined && folders === undefined;
    if (isWhole && format === 'jsonl') return ended(made, plan, context);
    const all = { sql: `FROM ${DATA}`, tables: { [DATA]: made }, group, format, folders };
    const result = await rowsOf(all, {
      ...tools,
      plan: [],
      // Jobs are found again by the names of their stages.
      run: (stage, ...given) => tools.run(`${stage} of results`, ...given),
    });
    return ended({ format, shards: [...result!] }, plan, context);
  },
});

/** Whether it begins with a statement. */
const isStated = (
  work: MapWork | undefined,
): work is Extract<MapWork, { kind: 'sql' | 'function' }> =>
  work?.kind === 'sql' || work?.kind === 'function';

function nameOf({ code, name }: FunctionWork): string {
  if ('builtIn' in code) return `skein:${name}`;
  const file = 'python' in code ? code.python : basename(code.module);
  return name === undefined ? `of ${file}` : `${name} of ${file}`;
}

/** DuckDB reads this in less time than a job takes to begin and to hand over its rows. */
const PIECE_BYTES = 16 * 2 ** 20;

/** Memory of a command or a task, unless its caller has chosen. */
const SHARD_BYTES = 512 * 2 ** 20;

/** @throws SkeinError REQUEST_INVALID where it is none of stored shards. */
function onlyTable({ tables }: MapInput): DataSet {
  const { [DATA]: table, ...others } = tables;
  const shards = Piece.array().safeParse(table?.shards);
  if (
    table === undefined ||
    table.addresses !== undefined ||
    !shards.success ||
    Object.keys(others).length > 0
  ) {
    throw new SkeinError(
      'REQUEST_INVALID',
      `A command or a task works on the stored shards of one table, ${DATA}.`,
    );
  }
  return { ...table, shards: shards.data };
}

async function mapShards(
  work: ShardWork,
  table: DataSet,
  { format, group }: MapInput,
  frame: JobFrame,
  context: BuiltinContext,
): Promise<DataSet> {
  const to = group === undefined ? format : table.format;
  const jobs = shardJobs(frame, work, table.shards, [table.format, to]);
  const sizes = table.shards.map(({ sizeBytes }) => sizeBytes);
  const done = await paced('map', sizes, context, (follow) => runAll(context, jobs, [], follow));
  return { format: to, shards: done.map(pieceOf) };
}

async function ended(
  dataSet: DataSet,
  plan: string[],
  { artifacts, progress }: BuiltinContext,
): Promise<MapOutput> {
  const json = Buffer.from(`${JSON.stringify(dataSet)}\n`);
  const { digest } = await artifacts.put(json, MANIFEST);
  const sizeBytes = dataSet.shards.reduce((sum, shard) => sum + shard.sizeBytes, 0);
  progress(1);
  return { manifest: digest, shards: dataSet.shards.length, sizeBytes, plan };
}

function toolsOf(
  frame: JobFrame & Pick<MapInput, 'incremental'>,
  slots: number,
  plan: string[],
  context: BuiltinContext,
): Tools {
  let previous: readonly string[] = [];
  return {
    slots,
    memoryBytes: frame.resources.memoryBytes,
    pieceBytes: PIECE_BYTES,
    isByFile: frame.incremental,
    plan,
    ask: context.ask,
    async run(stage, task, inputs, isShown = true) {
      const jobs = await Promise.all(
        inputs.map((input, index) =>
          builtinJob(frame, [stage, index, inputs.length], task as Builtin, input),
        ),
      );
      const all = (follow?: (ids: readonly string[]) => void) =>
        runAll(context, jobs, previous, follow);
      const done = await (isShown ? paced(stage, inputs.map(bytesRead), context, all) : all());
      previous = done.map(({ id }) => id);
      return done.map(({ result }) => task.output.parse(result?.value));
    },
  };
}

/** The tasks of a map, which every worker that trusts offers by name: any machine of a fleet can run them. */
export const MAP_TASKS: ReadonlyMap<string, Builtin> = new Map(
  [mapRun, list, describe, parts, scan, statement].map((task) => [task.name, task as Builtin]),
);
