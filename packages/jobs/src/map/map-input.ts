/** The input and the output of a map. */
import { z } from 'zod';
import { DataFormat, DataSet } from './data-set.ts';

export const MapWork = z.discriminatedUnion('kind', [
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
    /** Absolute path of its module on every worker; absent: workers offer the task by its name. */
    module: z.string().optional(),
  }),
]);
export type MapWork = z.output<typeof MapWork>;

export const MapInput = z.object({
  dataSet: DataSet,
  /** Absent: shards are taken as they are. */
  work: MapWork.optional(),
  /** Absent: no shuffle. */
  group: z
    .object({
      by: z.array(z.string().min(1)).min(1),
      partitions: z.int().min(1).max(4096),
      /** One statement over the view `part`, which has all rows of its keys. */
      sql: z.string().min(1),
    })
    .optional(),
  /** Format of the output shards. */
  format: DataFormat,
  /** Resources of each job. */
  resources: z.object({ cores: z.number().positive(), memoryBytes: z.int().min(2 ** 20) }),
  attempts: z.int().min(1).default(3),
});
export type MapInput = z.output<typeof MapInput>;

/** Small whatever the number of shards: what a task returns is bounded. */
export const MapOutput = z.object({
  /** Digest of the manifest. */
  manifest: z.string(),
  shards: z.int(),
  sizeBytes: z.int(),
});
export type MapOutput = z.output<typeof MapOutput>;
