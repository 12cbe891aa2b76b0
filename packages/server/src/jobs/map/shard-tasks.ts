/** What is done to one shard, or to one partition, as tasks: each a statement in DuckDB. */
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { defineTask, type TaskContext } from '../tasks/define-task.ts';
import { Columns, DataFormat, Piece } from './data-set.ts';
import * as duckdb from './duckdb.ts';

/** Absolute path of this module, where workers find these tasks. */
export const SHARD_TASKS = import.meta.filename;

const bounds = {
  /** DuckDB spills what does not fit. */
  memoryBytes: z.int(),
  threads: z.number(),
};

/** Runs a statement over the view `shard`. */
export const mapSql = defineTask({
  name: 'skein-map-sql',
  input: z.object({
    digest: z.string(),
    format: DataFormat,
    columns: Columns.optional(),
    to: DataFormat,
    sql: z.string(),
    ...bounds,
  }),
  output: Piece,
  run: ({ digest, to, ...query }, context) =>
    inFolder(async (folder) => {
      const target = join(folder, `out.${to}`);
      const files = [await context.artifacts.pathOf(digest)];
      await duckdb.query({ ...query, files, view: 'shard' }, target, to);
      return put(context, target);
    }),
});

/** Sorts the rows of a shard into partitions by a hash of their keys; null for one without rows. */
export const partition = defineTask({
  name: 'skein-map-partition',
  input: z.object({
    digest: z.string(),
    format: DataFormat,
    columns: Columns.optional(),
    by: z.array(z.string()),
    partitions: z.int(),
    ...bounds,
  }),
  output: z.array(Piece.nullable()),
  run: ({ digest, by, partitions, ...query }, context) =>
    inFolder(async (folder) => {
      const files = [await context.artifacts.pathOf(digest)];
      const whole = { ...query, files, view: 'shard' as const };
      const found = await duckdb.partition(whole, { columns: by, partitions }, folder);
      const pieces: (Piece | null)[] = [];
      for (const file of found) pieces.push(file === null ? null : await put(context, file));
      return pieces;
    }),
});

/** Runs a statement over the view `part`: the pieces of one partition from all shards. */
export const reduce = defineTask({
  name: 'skein-map-reduce',
  input: z.object({ digests: z.array(z.string()), to: DataFormat, sql: z.string(), ...bounds }),
  /** Null when no shard had rows for it. */
  output: Piece.nullable(),
  async run({ digests, to, ...query }, context) {
    if (digests.length === 0) return null;
    return inFolder(async (folder) => {
      const target = join(folder, `out.${to}`);
      const files = await Promise.all(digests.map((digest) => context.artifacts.pathOf(digest)));
      await duckdb.query({ ...query, files, format: 'parquet', view: 'part' }, target, to);
      return put(context, target);
    });
  },
});

async function put(context: TaskContext, file: string): Promise<Piece> {
  const { size } = await stat(file);
  const content = createReadStream(file) as AsyncIterable<Uint8Array>;
  const { digest } = await context.artifacts.put(content);
  return { digest, sizeBytes: size };
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-map-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
