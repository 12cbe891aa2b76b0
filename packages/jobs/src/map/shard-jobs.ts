/** The jobs of a map, as values: the specs for each shard and for each partition. */
import type { NewJobInput } from '@skein/api';
import type { TaskModule } from '../work.ts';
import type { DataFormat, DataSet, DateFormats } from './data-set.ts';
import type { MapInput, MapWork } from './map-input.ts';
import { MAP_LABEL } from './offered-tasks.ts';
import { describe, mapSql, partition, reduce } from './shard-tasks.ts';

type Group = NonNullable<MapInput['group']>;

/**
 * Part of the input of each task, so that results are not taken that an earlier version has kept.
 * Raise it when the same shard gives other rows.
 */
const EDITION = 5;

/** Shards whose beginnings are read to find the types of their columns. */
const SAMPLED = 8;

/** A data set whose columns are known. */
export interface TypedDataSet extends DataSet {
  readonly dates?: DateFormats | undefined;
}

/** Jobs that find the types of columns: one for CSV and Parquet, and one for each shard of JSON lines. */
export function describeJobs(
  { format, shards }: DataSet,
  input: MapInput,
  stage = 'describe',
): NewJobInput[] {
  const step = Math.max(1, Math.floor(shards.length / SAMPLED));
  const beginnings = shards.filter((_, index) => index % step === 0).slice(0, SAMPLED);
  const samples = {
    csv: [beginnings],
    jsonl: shards.map((shard) => [shard]),
    parquet: [shards],
  }[format];
  return samples.map((chosen, index) => {
    const digests = chosen.map(({ digest }) => digest);
    const frame = frameOf(input, stage, index, samples.length);
    return taskJob(frame, input, describe.name, { digests, format });
  });
}

/** @param to the format that the work is to write. */
export function mapJobs(
  { format, columns, dates, shards }: TypedDataSet,
  work: MapWork,
  to: DataFormat,
  input: MapInput,
): NewJobInput[] {
  return shards.map(({ digest }, index) => {
    const frame = frameOf(input, 'map', index, shards.length);
    switch (work.kind) {
      case 'sql':
        return taskJob(frame, input, mapSql.name, {
          digest,
          format,
          columns,
          dates,
          to,
          sql: work.sql,
        });
      case 'command':
        return { ...frame, work: commandOf(work, digest, `in.${format}`, `out.${to}`) };
      case 'task': {
        const given = { digest, format };
        if (work.module === undefined) return offered(frame, `task:${work.task}`, work.task, given);
        return { ...frame, work: taskOf(work.task, { path: work.module }, given) };
      }
    }
  });
}

/** @param types of the columns of the key, where they have several in these shards. */
export function partitionJobs(
  { format, columns, dates, shards }: TypedDataSet,
  { by, partitions }: Group,
  input: MapInput,
  types?: readonly string[],
): NewJobInput[] {
  const stage = types === undefined ? 'partition' : 'partition by one type';
  return shards.map(({ digest }, index) =>
    taskJob(frameOf(input, stage, index, shards.length), input, partition.name, {
      digest,
      format,
      columns,
      dates,
      by,
      partitions,
      types,
    }),
  );
}

/** @param digests pieces of each partition. */
export function reduceJobs(
  digests: readonly (readonly string[])[],
  { sql }: Group,
  input: MapInput,
): NewJobInput[] {
  return digests.map((pieces, index) =>
    taskJob(frameOf(input, 'reduce', index, digests.length), input, reduce.name, {
      digests: pieces,
      sql,
      to: input.format,
    }),
  );
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

function taskJob(
  frame: Frame,
  { resources }: MapInput,
  task: string,
  given: Readonly<Record<string, unknown>>,
): NewJobInput {
  return offered(frame, MAP_LABEL, task, { ...given, resources, edition: EDITION });
}

/** Any worker with the label may do it, wherever the task's module lies there. */
function offered(frame: Frame, label: string, task: string, input: unknown): NewJobInput {
  return { ...frame, requires: [label], work: taskOf(task, { offered: true }, input) };
}

function taskOf(task: string, module: TaskModule, input: unknown): NewJobInput['work'] {
  return { kind: 'task', task, module, input };
}

function commandOf(
  { argv, inputs, image, trusted, network }: Extract<MapWork, { kind: 'command' }>,
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
