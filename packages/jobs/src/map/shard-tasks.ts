/** The work on one shard, or on one partition, as tasks: each a statement in DuckDB. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { defineTask, type TaskContext } from '../tasks/define-task.ts';
import { Columns, DataFormat, DateFormats, Piece } from './data-set.ts';
import * as duckdb from './duckdb.ts';
import type { Query } from './duckdb-queries.ts';
import type { Files } from './duckdb-session.ts';
import { boundsOf } from './memory.ts';

const MIB = 2 ** 20;

/** Memory of the job: of DuckDB and the process around it. */
const Resources = z.object({ cores: z.number().positive(), memoryBytes: z.int() });

const Shard = z.object({
  digest: z.string(),
  format: DataFormat,
  columns: Columns.optional(),
  dates: DateFormats.optional(),
  resources: Resources,
});

/** Finds the types of columns: at the beginnings of some shards of CSV, at a shard of JSON lines, or in shards of Parquet. */
export const describe = defineTask({
  name: 'skein-map-describe',
  input: z.object({
    digests: z.array(z.string()),
    format: DataFormat.default('csv'),
    resources: Resources,
  }),
  output: z.object({ columns: Columns, dates: DateFormats.optional() }),
  async run({ digests, format, resources }, context) {
    const files = await filesOf(context, digests, { format, view: 'shard', resources });
    return note(context, await duckdb.ask('columns', { files }));
  },
});

/** Runs a statement over the view `shard`. */
export const mapSql = defineTask({
  name: 'skein-map-sql',
  input: Shard.extend({ to: DataFormat, sql: z.string() }),
  output: Piece,
  async run({ digest, to, sql, ...shard }, context) {
    const files = await filesOf(context, [digest], { ...shard, view: 'shard' });
    return rowsOf(context, { ...files, sql }, to);
  },
});

/** Sorts the rows of a shard into partitions by a hash of their keys. */
export const partition = defineTask({
  name: 'skein-map-partition',
  input: Shard.extend({
    by: z.array(z.string()),
    partitions: z.int(),
    /** Types of the columns of the key, where shards have them in several types. */
    types: z.array(z.string()).optional(),
  }),
  output: z.object({
    /** Null for a partition without rows. */
    pieces: z.array(Piece.nullable()),
    /** DuckDB types of the columns of the key in this shard. */
    types: z.array(z.string()),
  }),
  async run({ digest, by: columns, partitions, types: common, ...shard }, context) {
    const files = await filesOf(context, [digest], { ...shard, view: 'shard' });
    const by = { columns, partitions, types: common };
    const { folder } = context;
    const asked = await duckdb.ask('partition', { files, by, folder });
    const { files: found, types } = note(context, asked);
    const pieces: (Piece | null)[] = [];
    for (const file of found) pieces.push(file === undefined ? null : await put(context, file));
    return { pieces, types: [...types] };
  },
});

/** Runs a statement over the view `part`: the pieces of one partition from all shards. */
export const reduce = defineTask({
  name: 'skein-map-reduce',
  input: z.object({
    digests: z.array(z.string()),
    to: DataFormat,
    sql: z.string(),
    resources: Resources,
  }),
  /** Null when no shard had rows for it. */
  output: Piece.nullable(),
  async run({ digests, to, sql, resources }, context) {
    if (digests.length === 0) return null;
    const shape = { format: 'parquet', view: 'part', resources } as const;
    return rowsOf(context, { ...(await filesOf(context, digests, shape)), sql }, to);
  },
});

async function filesOf(
  { artifacts, folder }: TaskContext,
  digests: readonly string[],
  {
    resources,
    ...shape
  }: Pick<Files, 'format' | 'columns' | 'dates' | 'view'> & {
    resources: z.output<typeof Resources>;
  },
): Promise<Files> {
  const files = await Promise.all(digests.map((digest) => artifacts.pathOf(digest)));
  return { ...shape, files, bounds: boundsOf(resources), scratch: folder };
}

/** Stores the rows of a statement. */
async function rowsOf(context: TaskContext, query: Query, to: DataFormat): Promise<Piece> {
  const target = join(context.folder, `out.${to}`);
  note(context, await duckdb.ask('query', { query, target, format: to }));
  return put(context, target);
}

/** Writes into the job's log how much memory the work took. */
function note<T>(
  { log }: TaskContext,
  { value, peakBytes }: { readonly value: T; readonly peakBytes: number },
): T {
  log(`DuckDB took at most ${Math.ceil(peakBytes / MIB)} MiB of memory.`);
  return value;
}

async function put(context: TaskContext, file: string): Promise<Piece> {
  const { size } = await stat(file);
  const content = createReadStream(file) as AsyncIterable<Uint8Array>;
  const { digest } = await context.artifacts.put(content);
  return { digest, sizeBytes: size };
}
