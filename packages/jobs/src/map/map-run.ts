/**
 * Applies something to every shard of a data set, side by side, and, when rows are to be brought
 * together, shuffles them by a hash of their keys:
 *
 *     shards ──► map ──► (partition ──► reduce) ──► shards
 *
 * Each arrow is a set of jobs. What flows is content in the artifact store, so that memory is
 * bounded by what one shard, or one partition, needs; and DuckDB spills what of these does not fit.
 */
import type { NewJobInput } from '@skein/api';
import { defineTask, type TaskJob } from '../tasks/define-task.ts';
import { MANIFEST, Piece, type DataSet } from './data-set.ts';
import { commonColumns } from './json-types.ts';
import { MapInput, MapOutput, type MapWork } from './map-input.ts';
import { boundsOf } from './memory.ts';
import { runAll } from './run-all.ts';
import {
  describeJobs,
  mapJobs,
  partitionJobs,
  reduceJobs,
  type TypedDataSet,
} from './shard-jobs.ts';
import { describe, partition, reduce } from './shard-tasks.ts';

/**
 * Runs the jobs of one stage, each behind all of the stage before it.
 * @param what it is called while it runs; absent: it takes no part in the progress.
 */
type Stage = (jobs: readonly NewJobInput[], what?: string) => Promise<TaskJob[]>;

/** The task that conducts a map. */
export const mapRun = defineTask({
  name: 'skein-map',
  input: MapInput,
  output: MapOutput,
  async run(input, context) {
    const { work, group } = input;
    // Check before any job starts: otherwise a job with too little memory fails after the others
    // have worked.
    if (work?.kind === 'sql' || group !== undefined) boundsOf(input.resources);
    const given = input.dataSet.shards.length;
    const total =
      (work === undefined ? 0 : given) + (group === undefined ? 0 : given + group.partitions);
    let done = 0;
    let previous: readonly string[] = [];
    const stage: Stage = async (jobs, what) => {
      const before = done;
      const onEnded = (count: number): void => {
        if (what === undefined) return;
        done = before + count;
        context.progress(done / Math.max(1, total), what);
      };
      const ended = await runAll(context, jobs, onEnded, previous);
      previous = ended.map(({ id }) => id);
      return ended;
    };
    let dataSet: DataSet = input.dataSet;
    if (work !== undefined) dataSet = await mapAll(dataSet, work, input, stage);
    if (group !== undefined) dataSet = await shuffle(dataSet, group, input, stage);
    const json = Buffer.from(`${JSON.stringify(dataSet)}\n`);
    const { digest } = await context.artifacts.put(json, MANIFEST);
    const sizeBytes = dataSet.shards.reduce((sum, shard) => sum + shard.sizeBytes, 0);
    return { manifest: digest, shards: dataSet.shards.length, sizeBytes };
  },
});

async function mapAll(
  dataSet: DataSet,
  work: MapWork,
  input: MapInput,
  stage: Stage,
): Promise<DataSet> {
  // The output of a statement for the shuffle is read back by column.
  const shuffled = work.kind === 'sql' ? 'parquet' : dataSet.format;
  const to = input.group === undefined ? input.format : shuffled;
  const typed = work.kind === 'sql' ? await withColumns(dataSet, input, stage) : dataSet;
  const jobs = mapJobs(typed, work, to, input);
  const ended = await stage(jobs, 'mapping');
  return { format: to, shards: ended.map(pieceOf) };
}

/** Brings all rows with equal keys into one partition, then reduces each partition. */
async function shuffle(
  dataSet: DataSet,
  group: NonNullable<MapInput['group']>,
  input: MapInput,
  stage: Stage,
): Promise<DataSet> {
  const typed = await withColumns(dataSet, input, stage);
  const split = partitionsOf(await stage(partitionJobs(typed, group, input), 'shuffling'));
  const common = await commonKey(typed, split, group, input, stage);
  const partitions =
    common === undefined
      ? split
      : partitionsOf(await stage(partitionJobs(typed, group, input, common)));
  const digests: string[][] = Array.from({ length: group.partitions }, () => []);
  for (const { pieces } of partitions) {
    for (const [index, piece] of pieces.entries()) {
      if (piece !== null) digests[index]?.push(piece.digest);
    }
  }
  const reduced = await stage(reduceJobs(digests, group, input), 'reducing');
  const found = reduced.map(({ result }) => reduce.output.parse(result?.value));
  return { format: input.format, shards: found.filter((piece) => piece !== null) };
}

const partitionsOf = (ended: readonly TaskJob[]) =>
  ended.map(({ result }) => partition.output.parse(result?.value));

/**
 * The types that the columns of a key have where shards are read together, if they are not the same in all shards:
 * equal keys of several types are in different partitions. DuckDB finds them in one shard of each kind.
 */
async function commonKey(
  dataSet: DataSet,
  split: ReturnType<typeof partitionsOf>,
  { by }: NonNullable<MapInput['group']>,
  input: MapInput,
  stage: Stage,
): Promise<string[] | undefined> {
  const { format } = dataSet;
  const kinds = new Map(split.map(({ types }, index) => [JSON.stringify(types), index]));
  if (format !== 'parquet' || kinds.size < 2) return undefined;
  const shards = [...kinds.values()].map((index) => dataSet.shards[index]!);
  const jobs = describeJobs({ format, shards }, input, 'describe the key');
  const [ended] = await stage(jobs);
  const types = Object.entries(describe.output.parse(ended?.result?.value).columns);
  return by.map((column) => {
    const found = types.find(([name]) => name.toLowerCase() === column.toLowerCase());
    return found![1];
  });
}

/** Gives the columns their types, the same in all shards: one of CSV without rows would be all text. */
async function withColumns(dataSet: DataSet, input: MapInput, stage: Stage): Promise<TypedDataSet> {
  const { format, shards } = dataSet;
  // Parquet has its types; DuckDB finds the types of a single shard of JSON when it reads it.
  if (format === 'parquet' || shards.length < (format === 'csv' ? 1 : 2)) return dataSet;
  const ended = await stage(describeJobs(dataSet, input));
  const found = ended.map(({ result }) => describe.output.parse(result?.value));
  const columns =
    format === 'csv' ? found[0]?.columns : commonColumns(found.map((each) => each.columns));
  return { ...dataSet, columns: { ...columns, ...dataSet.columns }, dates: found[0]?.dates };
}

/** The piece that a job of the map has left: the one output of a command, or the value of a task. */
function pieceOf({ result }: TaskJob): Piece {
  const { digest, sizeBytes } = Piece.parse(result?.outputs[0] ?? result?.value);
  return { digest, sizeBytes };
}
