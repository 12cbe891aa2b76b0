/** The work on tables as tasks: each asks DuckDB once, in a process of its own. */
import { mkdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { SkeinError } from '@skein/api/errors';
import { boundsOf, type Answer } from '@skein/data';
import {
  Address,
  Columns,
  DataFormat,
  DateFormats,
  Piece,
  RemoteAccess,
  RemoteFile,
} from '@skein/data/data-set';
import { findFiles } from '@skein/state/find-files';
import { z } from 'zod';
import { defineBuiltin, type BuiltinContext } from '../tasks/builtin.ts';
import { JobTable } from './job-table.ts';
import { Resources } from './map-input.ts';
import { placedTables } from './remote/placed.ts';

const MIB = 2 ** 20;

const Common = z.object({
  /** The edition of these tasks: results that an earlier one has kept are not taken. */
  edition: z.int(),
  resources: Resources,
});

/** Finds the files to which addresses lead. Never kept: the next map finds what is there then. */
export const list = defineBuiltin({
  name: 'skein-map-list',
  input: Common.extend({ addresses: z.array(Address), access: RemoteAccess }),
  output: z.array(RemoteFile),
  isKept: false,
  async run({ addresses, access }, { signal }) {
    const files: RemoteFile[] = [];
    const options = { ...access, env: process.env, signal };
    for (const address of addresses) files.push(...(await findFiles(address, options)));
    return files;
  },
});

/** Finds the types of the columns of a table. */
export const describe = defineBuiltin({
  name: 'skein-map-describe',
  input: Common.extend({
    table: JobTable,
    /** Whether its form is wanted. */
    isToBeCut: z.boolean().default(false),
  }),
  output: z.object({
    columns: Columns,
    dates: DateFormats.optional(),
    form: JobTable.shape.form,
  }),
  async run({ table, isToBeCut, resources }, context) {
    const { tables, note } = await placedTables({ table }, context);
    note();
    const given = { table: tables['table']!, isToBeCut, ...limitsOf(resources, context) };
    return noted(context, await context.ask('describe', given));
  },
});

/** Finds where the files of a Parquet table can be cut, and the columns that statements would have. */
export const parts = defineBuiltin({
  name: 'skein-map-parts',
  input: Common.extend({
    tables: z.record(z.string(), JobTable),
    /** Names of tables to cut. */
    cut: z.array(z.string()),
    statements: z.array(z.string()),
  }),
  output: z.object({
    groups: z.record(z.string(), z.array(z.array(z.tuple([z.number(), z.number()])))),
    /** Null for a statement that DuckDB refuses. */
    types: z.array(z.array(z.tuple([z.string(), z.string()])).nullable()),
  }),
  async run({ tables, cut, statements, resources }, context) {
    const limits = limitsOf(resources, context);
    const { tables: known, note } = await placedTables(tables, context);
    note();
    const groups: Record<string, [number, number][][]> = {};
    for (const name of cut) {
      const { files } = known[name]!;
      const found = noted(context, await context.ask('rowGroups', { files, ...limits }));
      groups[name] = found.map((file) => file.map(({ rows, sizeBytes }) => [rows, sizeBytes]));
    }
    const asked = await context.ask('types', { statements, tables: known, ...limits });
    const types = noted(context, asked).map(
      (each) => each?.map(([name, type]): [string, string] => [name, type]) ?? null,
    );
    return { groups, types };
  },
});

/** Finds where the only file of a table, which is CSV, can be cut. */
export const scan = defineBuiltin({
  name: 'skein-map-scan',
  input: Common.extend({
    table: JobTable,
    ranges: z.array(z.object({ from: z.int(), to: z.int() })),
  }),
  output: z.array(
    z.object({
      isOdd: z.boolean(),
      starts: z.tuple([z.int().nullable(), z.int().nullable()]).readonly(),
      hasFault: z.tuple([z.boolean(), z.boolean()]).readonly(),
    }),
  ),
  async run({ table, ranges }, context) {
    const { tables } = await placedTables({ table }, context);
    const { files, form } = tables['table']!;
    return context.ask('scan', { file: files[0]!, ranges, form: form! });
  },
});

/** Runs a statement over tables, and stores its rows. */
export const statement = defineBuiltin({
  name: 'skein-map-statement',
  input: Common.extend({
    tables: z.record(z.string(), JobTable),
    /** Views over the tables, made in this order before the statement runs. */
    views: z.array(z.tuple([z.string(), z.string()])).default([]),
    sql: z.string(),
    format: DataFormat,
    by: z.object({ keys: z.array(z.string()), partitions: z.int().min(1) }).optional(),
    /** Columns whose values name the folders of a partitioned result. */
    folders: z.array(z.string()).optional(),
  }),
  output: z.object({
    /** By partition; one without a key. */
    pieces: z.array(z.array(Piece)),
    rows: z.int(),
  }),
  async run({ tables, views, sql, format, by, folders, resources }, context) {
    const folder = join(context.folder, 'rows');
    await mkdir(folder);
    const { tables: known, fetch, note } = await placedTables(tables, context);
    const given = {
      tables: known,
      views,
      sql,
      format,
      folder,
      by,
      folders,
      ...limitsOf(resources, context),
    };
    const asked = await context.ask('statement', given, {
      onProgress: (fraction) => context.progress(fraction),
      fetch,
    });
    note();
    const { files, rows } = noted(context, asked);
    const pieces: Piece[][] = [];
    for (const each of files) {
      const stored: Piece[] = [];
      if (folders !== undefined && each.length > MOST_FILES) throw tooMany(folders, each.length);
      for (const file of each) {
        const piece = await context.artifacts.putFile(file);
        const own = relative(folder, dirname(file));
        stored.push(folders === undefined ? piece : { ...piece, folder: own });
      }
      pieces.push(stored);
    }
    return { pieces, rows };
  },
});

/** A list of more pieces does not fit into the result of a job. */
const MOST_FILES = 5000;

const tooMany = (folders: readonly string[], files: number): SkeinError =>
  new SkeinError(
    'SQL_INVALID',
    `The values of ${folders.join(', ')} make ${files} files, and a result has at most ${MOST_FILES}.`,
  );

const limitsOf = (resources: Resources, { folder }: BuiltinContext) => ({
  bounds: boundsOf(resources),
  scratch: folder,
});

/** Writes into the job's log how much memory the work took. */
function noted<T>({ log }: BuiltinContext, { value, peakBytes, isByOne }: Answer<T>): T {
  if (isByOne) log('The rows did not fit with several threads: one thread has read them again.');
  log(`DuckDB took at most ${Math.ceil(peakBytes / MIB)} MiB of memory.`);
  return value;
}
