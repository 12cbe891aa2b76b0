/** Statements of a command over the tables that it was given: each is a job of the node. */
import type { DataVersion, DataVersionName, NewJobInput } from '@skein/api';
import { defined } from '@skein/api/defined';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { hasFailed } from '@skein/api/job-states';
import type { DataFormat, DataSet, RemoteAccess, RemoteFile, Source } from '@skein/data/data-set';
import type { MapOutput } from '@skein/jobs/map';
import type { Context } from '../command-line/command.ts';
import {
  bytes,
  decimal,
  flag,
  many,
  manyArguments,
  text,
  withDefault,
} from '../command-line/option.ts';
import { usageError } from '../command-line/usage.ts';
import { connectionOptions, type ConnectionChoice } from '../connection/connection.ts';
import { recordsOf } from './data-set.ts';
import { filesIn, saveMap } from './data-versions.ts';
import { withJobs } from './embedded.ts';
import { followJob } from './follow.ts';
import { listJob, mapJob } from './map-job.ts';
import { readsHere, tablesOf } from './tables.ts';

export const filesArgument = manyArguments(
  'FILE',
  'Table: .csv, .tsv, .jsonl or .parquet, a folder or a pattern of these, an address of one, as in s3://bucket/logs/*.parquet, a manifest, .json, or NAME@VERSION.',
  { required: true, completes: 'file' },
);

/** How the workers reach tables with addresses. */
export const accessOptions = {
  tokenEnv: text('NAME', 'Variable of the workers with the bearer token for https:// tables.'),
  allowPrivate: flag('Let addresses lead to the machine or the network of a worker.'),
};

export interface AccessChoice {
  readonly tokenEnv: string | undefined;
  readonly allowPrivate: boolean;
}

export const accessOf = ({ tokenEnv, allowPrivate }: AccessChoice): RemoteAccess => ({
  allowPrivate,
  ...defined({ tokenEnv }),
});

export const statementOptions = {
  csv: many('NAME=VALUE', 'Setting of CSV that is not found out, as of skein map.'),
  column: many('NAME=TYPE', 'DuckDB type of a column of CSV or JSON lines.'),
  queue: withDefault(text('NAME', 'Queue.'), 'default'),
  cores: decimal('N', 'Cores of each job; default: all of a worker.', [0.01, 4096]),
  memory: bytes('Memory of each job; default: half of a worker’s.'),
  ...accessOptions,
  ...connectionOptions,
};

export interface StatementChoice extends ConnectionChoice, AccessChoice {
  readonly csv: readonly string[];
  readonly column: readonly string[];
  readonly queue: string;
  readonly cores: number | undefined;
  readonly memory: number | undefined;
}

type Tables = Readonly<Record<string, Source>>;

export interface Statements {
  readonly client: Client;
  /** The one table that files are. @throws SkeinError USAGE. */
  readonly tableOf: (files: readonly string[]) => Promise<Source>;
  /** The rows of a statement, which are few. @throws SkeinError STEP_FAILED. */
  readonly ask: (name: string, sql: string, tables: Tables) => Promise<Record<string, unknown>[]>;
  /** Stores the rows of a statement. @returns the digest of their manifest. @throws SkeinError STEP_FAILED. */
  readonly store: (
    name: string,
    sql: string,
    tables: Tables,
    format: DataFormat,
  ) => Promise<string>;
  /** The stored rows of a statement as a table of the next one. @throws SkeinError STEP_FAILED. */
  readonly table: (name: string, sql: string, tables: Tables) => Promise<Source>;
  /** Adds stored rows as the next version of a data set, with the tables that they are made of. */
  readonly save: (manifest: string, as: SavedAs) => Promise<DataVersion>;
}

export interface SavedAs {
  readonly name: string;
  readonly note: string;
  /** Files and versions in the words of the caller. */
  readonly files: readonly string[];
  /** The command that made them. */
  readonly statement: string;
}

/** Size of the shards that tables are cut into, where they are not read in place. */
const SHARD_BYTES = 64 * 2 ** 20;
/** Memory for cutting Parquet before it is sent. */
const CUTTING_BYTES = 512 * 2 ** 20;

export async function withStatements<T>(
  context: Context,
  choice: StatementChoice,
  use: (statements: Statements) => Promise<T>,
): Promise<T> {
  const { csv, column, queue, cores, memory, tokenEnv, allowPrivate, ...connection } = choice;
  return withJobs(
    context,
    { ...connection, mayStart: true, queues: [queue] },
    async (client, submit, isHere) => {
      const inPlace = isHere && (await readsHere(client));
      const versions: DataVersionName[] = [];
      /** Ids of the jobs by the manifests that they stored. */
      const makers = new Map<string, string>();
      const run = async (job: NewJobInput): Promise<{ id: string; value: unknown }> => {
        const { id } = await submit(job);
        const { state, message = state, result } = await followJob(context, client, id);
        if (!hasFailed(state) && result !== undefined) return { id, value: result.value };
        throw new SkeinError('STEP_FAILED', `Job ${id}, ${job.name}, did not succeed: ${message}`);
      };
      const store: Statements['store'] = async (name, sql, tables, format) => {
        const work = { kind: 'sql', sql };
        const input = { work, format, ...defined({ cores, memoryBytes: memory }) };
        const { id, value } = await run(mapJob({ queue, name }, tables, input));
        const { manifest } = value as MapOutput;
        makers.set(manifest!, id);
        return manifest!;
      };
      return use({
        client,
        store,
        async tableOf(files) {
          const { data, ...others } = await tablesOf(context, client, files, {
            shardBytes: SHARD_BYTES,
            resources: { cores: cores ?? 1, memoryBytes: memory ?? CUTTING_BYTES },
            columns: column,
            csv,
            inPlace,
            onVersion: (version) => versions.push(version),
            access: accessOf({ tokenEnv, allowPrivate }),
          });
          if (data === undefined || Object.keys(others).length > 0) {
            throw usageError('Give the files of one table, without NAME=.');
          }
          const { addresses, access, ...table } = data;
          if (addresses === undefined || access === undefined) return data;
          // Once: every statement reads these files, and refuses one that has changed.
          const { value } = await run(listJob({ queue, name: 'list' }, addresses, access));
          return { ...table, access, shards: value as RemoteFile[] };
        },
        async ask(name, sql, tables) {
          return recordsOf(context, client, await store(name, sql, tables, 'jsonl'));
        },
        async table(name, sql, tables) {
          return storedTable(client, await store(name, sql, tables, 'parquet'));
        },
        async save(manifest, { name, note, files, statement }) {
          const given = filesIn(context.cwd, files);
          const from = { job: makers.get(manifest)!, files: given, versions, statement };
          return saveMap(context, { client, submit }, manifest, { name, note, queue, from });
        },
      });
    },
  );
}

/** Stored rows as a table of the next statement. */
export async function storedTable(client: Client, manifest: string): Promise<DataSet> {
  const { DataSet: schema } = await import('@skein/data/data-set');
  const content = await client.downloadArtifact({ digest: manifest });
  return schema.parse(await new Response(content).json());
}
