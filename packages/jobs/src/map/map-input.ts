/** The input and the output of a map. */
import { DataFormat, Source } from '@skein/data/data-set';
import { z } from 'zod';

/** How a program runs in its sandbox. */
const Guest = z.strictObject({
  image: z.string().optional(),
  trusted: z.boolean().default(false),
  network: z.enum(['none', 'host']).default('none'),
  /** Files that every shard’s command finds, such as the program. */
  inputs: z.array(z.strictObject({ path: z.string(), digest: z.string() })).default([]),
});

export const MapWork = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('sql'),
    /** One statement over the tables, by their names. */
    sql: z.string().min(1),
  }),
  z.strictObject({
    kind: z.literal('command'),
    /** `{in}` and `{out}` stand for the files of a shard. */
    argv: z.array(z.string()).min(1),
    ...Guest.shape,
  }),
  z.strictObject({
    kind: z.literal('task'),
    /** Takes `{ digest, format }` and returns `{ digest, sizeBytes }` of what it has put. */
    task: z.string(),
    /** Absolute path of its module on every worker; absent: workers offer the task by its name. */
    module: z.string().optional(),
  }),
  z.strictObject({
    kind: z.literal('function'),
    /** One statement over the tables, whose rows the function gets; absent: the rows of `data`. */
    sql: z.string().min(1).optional(),
    code: z.union([
      /** Absolute path of a TypeScript module on every worker. */
      z.strictObject({ module: z.string() }),
      /** Stored files; `python` names the one with the function. It runs as a command does. */
      Guest.extend({ python: z.string() }),
      /** A function of Skein. */
      z.strictObject({ builtIn: z.literal(true) }),
    ]),
    /** Name in the module; absent: its only function. */
    name: z.string().optional(),
    options: z.record(z.string(), z.string()).default({}),
  }),
]);
export type MapWork = z.output<typeof MapWork>;

export const Resources = z.object({
  cores: z.number().positive(),
  memoryBytes: z.int().min(2 ** 20),
});
export type Resources = z.output<typeof Resources>;

/** The table that shards are of, and that a statement has by default. */
export const DATA = 'data';

export const MapInput = z.object({
  /** Tables by the names that statements have for them. A command or a task works on the shards of `data`. */
  tables: z
    .record(z.string().regex(/^[A-Za-z_]\w*$/), Source)
    .refine((tables) => Object.keys(tables).length > 0),
  /** Absent: the rows of `data`, as they are. */
  work: MapWork.optional(),
  /** Absent: no shuffle. */
  group: z
    .object({
      by: z.array(z.string().min(1)).min(1),
      /** One statement over the view `part`, which has all rows of its keys. */
      sql: z.string().min(1),
    })
    .optional(),
  /** Format of the output shards. */
  format: DataFormat,
  /** Columns of the output: each of their values has a folder. */
  folders: z.array(z.string().min(1)).min(1).optional(),
  /** Cores of each job. Absent: a statement has all cores of a worker, other work has one. */
  cores: z.number().positive().optional(),
  /** Memory of each job. Absent: a statement has half of a worker's, other work has 512 MiB. */
  memoryBytes: z
    .int()
    .min(2 ** 20)
    .optional(),
  attempts: z.int().min(1).default(3),
  /** Labels that workers need: of the machine where the files lie. */
  requires: z.array(z.string()).default([]),
  /** Keeps results by file, and takes those that an earlier map has kept. */
  incremental: z.boolean().default(false),
  /** Plans, and runs nothing. */
  explain: z.boolean().default(false),
});
export type MapInput = z.output<typeof MapInput>;

/** Small whatever the number of shards: what a task returns is bounded. */
export const MapOutput = z.object({
  /** Digest of the manifest; absent where it only planned. */
  manifest: z.string().optional(),
  shards: z.int(),
  sizeBytes: z.int(),
  /** The steps, each with its reason: one line each. */
  plan: z.array(z.string()),
});
export type MapOutput = z.output<typeof MapOutput>;
