/**
 * Applies something to every shard of a data set, side by side, and, when rows are to be brought
 * together, shuffles them by a hash of their keys:
 *
 *     shards ──► map ──► (partition ──► reduce) ──► shards
 *
 * Each arrow is a set of jobs. What flows is content in the artifact store, so that memory is
 * bounded by what one shard, or one partition, needs.
 */
import type { NewJobInput } from '@skein/api';
import { z } from 'zod';
import { defineTask, type TaskContext, type TaskJob } from '../tasks/define-task.ts';
import { DataFormat, DataSet, Piece } from './data-set.ts';
import * as duckdb from './duckdb.ts';
import { runAll } from './run-all.ts';
import { mapSql, partition, reduce, SHARD_TASKS } from './shard-tasks.ts';

const Work = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('sql'),
    /** One statement over the view `shard`. */
    sql: z.string().min(1),
  }),
  z.strictObject({
    kind: z.literal('command'),
    /** `{in}` and `{out}` stand for the files of a shard. */
    argv: z.array(z.string()).min(1),
    image: z.string().optional(),
    trusted: z.boolean().default(false),
    network: z.enum(['none', 'host']).default('none'),
    /** Files that every shard’s command finds, such as the program. */
    inputs: z.array(z.strictObject({ path: z.string(), digest: z.string() })).default([]),
  }),
  z.strictObject({
    kind: z.literal('task'),
    /** Takes `{ digest, format }` and returns `{ digest, sizeBytes }` of what it has put. */
    task: z.string(),
    module: z.string(),
  }),
]);

const MapInput = z.object({
  dataSet: DataSet,
  /** Absent: shards go on as they are. */
  work: Work.optional(),
  /** Absent: nothing is shuffled. */
  group: z
    .object({
      by: z.array(z.string().min(1)).min(1),
      partitions: z.int().min(1).max(4096),
      /** One statement over the view `part`, which has all rows of its keys. */
      sql: z.string().min(1),
    })
    .optional(),
  /** Format of what comes out. */
  format: DataFormat,
  resources: z.object({ cores: z.number().positive(), memoryBytes: z.int().min(2 ** 20) }),
  attempts: z.int().min(1).default(3),
});
type MapInput = z.output<typeof MapInput>;
type Stage = (what: string) => (ended: number) => void;

/** Absolute path of this module, where workers find the task. */
export const MAP_TASKS = import.meta.filename;

/** The task that conducts a map. */
export const mapRun = defineTask({
  name: 'skein-map',
  input: MapInput,
  output: DataSet,
  async run(input, context) {
    const { work, group } = input;
    let dataSet: DataSet = await withColumns(input, context);
    const count = dataSet.shards.length;
    const total =
      (work === undefined ? 0 : count) + (group === undefined ? 0 : count + group.partitions);
    let done = 0;
    const stage: Stage = (what) => {
      const before = done;
      return (ended) => {
        done = before + ended;
        context.progress(done / Math.max(1, total), what);
      };
    };
    if (work !== undefined) dataSet = await mapAll(dataSet, work, input, context, stage);
    if (group !== undefined) dataSet = await shuffle(dataSet, group, input, context, stage);
    await context.artifacts.put(Buffer.from(`${JSON.stringify(dataSet)}\n`), 'data-set.json');
    return dataSet;
  },
});

async function mapAll(
  dataSet: DataSet,
  work: z.output<typeof Work>,
  input: MapInput,
  context: TaskContext,
  stage: Stage,
): Promise<DataSet> {
  // What a statement writes for the shuffle is read back by column.
  const shuffled = work.kind === 'sql' ? 'parquet' : dataSet.format;
  const to = input.group === undefined ? input.format : shuffled;
  const { format, columns, shards } = dataSet;
  const jobs = shards.map(({ digest }, index): NewJobInput => {
    const frame = frameOf(input, 'map', index, shards.length);
    switch (work.kind) {
      case 'sql':
        return shardJob(frame, input, mapSql.name, { digest, format, columns, to, sql: work.sql });
      case 'task': {
        const module = { path: work.module };
        return {
          ...frame,
          work: { kind: 'task', task: work.task, module, input: { digest, format } },
        };
      }
      case 'command':
        return { ...frame, work: commandOf(work, digest, `in.${format}`, `out.${to}`) };
    }
  });
  const ended = await runAll(context, jobs, stage('mapping'));
  return { format: to, shards: ended.map(pieceOf) };
}

function commandOf(
  { argv, inputs, image, trusted, network }: Extract<z.output<typeof Work>, { kind: 'command' }>,
  digest: string,
  from: string,
  to: string,
): NewJobInput['work'] {
  return {
    kind: 'command',
    argv: argv.map((word) => word.replaceAll('{in}', from).replaceAll('{out}', to)),
    inputs: [{ path: from, digest }, ...inputs],
    outputs: [{ path: to }],
    trusted,
    network,
    ...(image === undefined ? {} : { image }),
  };
}

/** Brings all rows with equal keys into one partition, then reduces each partition. */
async function shuffle(
  { format, columns, shards }: DataSet,
  { by, partitions, sql }: NonNullable<MapInput['group']>,
  input: MapInput,
  context: TaskContext,
  stage: Stage,
): Promise<DataSet> {
  const splitting = shards.map(({ digest }, index) =>
    shardJob(frameOf(input, 'partition', index, shards.length), input, partition.name, {
      digest,
      format,
      columns,
      by,
      partitions,
    }),
  );
  const split = await runAll(context, splitting, stage('shuffling'));
  const pieces = split.map(({ result }) => partition.output.parse(result?.value));
  const reducing = Array.from({ length: partitions }, (_, index) =>
    shardJob(frameOf(input, 'reduce', index, partitions), input, reduce.name, {
      digests: pieces.flatMap((each) => each[index]?.digest ?? []),
      sql,
      to: input.format,
    }),
  );
  const reduced = await runAll(context, reducing, stage('reducing'));
  const found = reduced.map(({ result }) => reduce.output.parse(result?.value));
  return { format: input.format, shards: found.filter((piece) => piece !== null) };
}

/** Shards whose beginnings are looked at for the types of their columns. */
const LOOKED_AT = 8;

/** Gives the columns of CSV their types, the same in all shards: one without rows would be all text. */
async function withColumns(
  { dataSet, resources }: MapInput,
  { artifacts }: TaskContext,
): Promise<DataSet> {
  if (dataSet.format !== 'csv' || dataSet.shards.length === 0) return dataSet;
  const step = Math.max(1, Math.floor(dataSet.shards.length / LOOKED_AT));
  const chosen = dataSet.shards.filter((_, index) => index % step === 0).slice(0, LOOKED_AT);
  const files = await Promise.all(chosen.map(({ digest }) => artifacts.pathOf(digest)));
  const found = await duckdb.columnsOf({
    files,
    format: 'csv',
    view: 'shard',
    memoryBytes: resources.memoryBytes,
    threads: 1,
  });
  return { ...dataSet, columns: { ...found, ...dataSet.columns } };
}

type Frame = Omit<NewJobInput, 'work'>;

/** The idempotency key is the place in the map: a conductor that starts anew finds its jobs again. */
function frameOf(
  { resources, attempts }: MapInput,
  stage: string,
  index: number,
  count: number,
): Frame {
  return {
    name: `${stage} ${index + 1}/${count}`,
    resources,
    retry: { maxAttempts: attempts, backoffMs: 1000, maxBackoffMs: 60_000 },
    cache: true,
    idempotencyKey: `${stage}/${index}`,
  };
}

function shardJob(
  frame: Frame,
  { resources: { cores, memoryBytes } }: MapInput,
  task: string,
  given: Readonly<Record<string, unknown>>,
): NewJobInput {
  // DuckDB's memory is beside the heap; the rest is for reading and writing.
  const bounds = { memoryBytes: Math.floor(memoryBytes * 0.7), threads: Math.ceil(cores) };
  const input = { ...given, ...bounds };
  return { ...frame, work: { kind: 'task', task, module: { path: SHARD_TASKS }, input } };
}

/** What a job of the map has left: the one output of a command, or what a task returned. */
function pieceOf({ result }: TaskJob): Piece {
  const { digest, sizeBytes } = Piece.parse(result?.outputs[0] ?? result?.value);
  return { digest, sizeBytes };
}
