/** `skein map`: something done to every shard of a data set, with a shuffle for what needs rows together. */
import { openAsBlob } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import type { JobView } from '@skein/api';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { defineCommand, type Context } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { readGivenFile } from '../file.ts';
import { connectOrStart } from '../jobs/embedded.ts';
import { followJob } from '../jobs/follow.ts';
import { findInputs, uploadInputs } from '../jobs/inputs.ts';
import { downloadArtifact } from '../jobs/outputs.ts';
import { cutIntoShards, type Slice } from '../jobs/split.ts';
import {
  bytes,
  choice,
  decimal,
  flag,
  integer,
  many,
  optionalRest,
  text,
  withDefault,
} from '../option.ts';
import { endText, hasEnded } from '../output/job.ts';
import { formatBytes } from '../output/units.ts';
import { usageError } from '../usage.ts';

const FORMATS = ['csv', 'jsonl', 'parquet'] as const;
type Format = (typeof FORMATS)[number];

interface Shard {
  readonly digest: string;
  readonly sizeBytes: number;
}

interface DataSet {
  readonly format: Format;
  readonly columns?: Readonly<Record<string, string>>;
  readonly shards: readonly Shard[];
}

export interface MapOutcome {
  readonly job: JobView;
  readonly shards: number;
  readonly sizeBytes: number;
  /** Files that were written. */
  readonly fetched: readonly string[];
}

/** The conductor only waits; it must not take the place of a shard. */
const CONDUCTOR = { cores: 0.05, memoryBytes: 256 * 2 ** 20 };

export const map = defineCommand({
  name: 'map',
  summary: 'Do something to every shard of a data set, side by side.',
  details:
    'Tables are cut into shards between their rows and stored as artifacts. Each shard is a job: a SQL statement over the view shard (DuckDB), a command in which {in} and {out} stand for the files of a shard, or a task. --by brings the rows with equal keys together, whatever shard they were in, for --reduce, a statement over the view part. Memory is bounded by --memory for each job, however large the data set is.',
  examples: [
    {
      command: `skein map --data sales.csv --sql "SELECT * FROM shard WHERE amount > 0" --out clean`,
      does: 'Filter',
    },
    {
      command: `skein map --data sales.csv --by city --reduce "SELECT city, sum(amount) AS total FROM part GROUP BY city" --out totals --format parquet`,
      does: 'Group',
    },
    {
      command: 'skein map --data text.jsonl --out clean -- python3 clean.py {in} {out}',
      does: 'A program of any language',
    },
  ],
  arguments: {
    command: optionalRest('COMMAND…', 'A program for each shard, with {in} and {out}.'),
  },
  options: {
    data: many('FILE', 'A table: .csv, .jsonl or .parquet; or the manifest of a data set.', {
      completes: 'file',
    }),
    sql: text('SQL', 'Statement over the view shard, or @FILE.sql.'),
    task: text(
      'NAME',
      'Task of --module that takes { digest, format } and returns { digest, sizeBytes }.',
    ),
    module: text('FILE', 'Module that exports the task.', { completes: 'file' }),
    by: many('COLUMN', 'Bring rows with equal values of this column together.'),
    reduce: text(
      'SQL',
      'Statement over the view part, which has all rows of its keys, or @FILE.sql.',
    ),
    partitions: withDefault(integer('N', 'Partitions of the shuffle.', { min: 1, max: 4096 }), '8'),
    shard: withDefault(bytes('Size of a shard.'), '64MiB'),
    column: many('NAME=TYPE', 'DuckDB type of a CSV column, where a guess from its rows is wrong.'),
    format: choice(FORMATS, 'Format of what comes out; default: that of the data.'),
    out: text('FOLDER', 'Where to write the shards and the manifest.', { completes: 'folder' }),
    input: many('PATH', 'File that every shard’s command needs.', { completes: 'file' }),
    queue: withDefault(text('NAME', 'Queue.'), 'default'),
    cores: withDefault(decimal('N', 'Cores of each job.', { min: 0.01, max: 4096 }), '1'),
    memory: withDefault(bytes('Memory of each job.'), '512MiB'),
    attempts: withDefault(integer('N', 'Attempts of each job.', { min: 1, max: 1000 }), '3'),
    image: text('IMAGE', 'Root file system of the command’s sandbox.'),
    trusted: flag('The command may run without isolation.'),
    network: withDefault(choice(['none', 'host'], 'host needs --trusted.'), 'none'),
    server: connectionOptions.server,
    key: connectionOptions.key,
    folder: { ...connectionOptions.data },
  },
  async run(context, { command, ...options }): Promise<MapOutcome> {
    const { cwd } = context;
    if (options.data.length === 0) throw usageError('--data FILE is missing: the tables.');
    const kinds = [options.sql, options.task, command].filter((given) => given !== undefined);
    if (kinds.length > 1) throw usageError('--sql, --task and a command exclude each other.');
    const grouped = options.by.length > 0;
    if (grouped !== (options.reduce !== undefined)) {
      throw usageError('--by COLUMN and --reduce SQL go together.');
    }
    if (kinds.length === 0 && !grouped) {
      throw usageError('Say what to do: --sql, --task, a command, or --by with --reduce.');
    }
    const connection = await connectOrStart(
      context,
      { server: options.server, key: options.key, data: options.folder },
      true,
    );
    const { client } = connection;
    let running: JobView | undefined;
    context.onInterrupt(async () => {
      if (running !== undefined) {
        await client.cancelJob({ id: running.id, reason: 'interrupted by the one who started it' });
      }
      await connection.close();
    });
    try {
      const dataSet = await dataSetOf(context, client, options.data, options.shard, options.column);
      const work = await workOf(context, client, command, options);
      const { MAP_TASKS } = await import('@skein/server/map');
      const group = grouped && {
        by: [...options.by],
        partitions: options.partitions,
        sql: await statement(cwd, options.reduce ?? ''),
      };
      const { jobs } = await client.enqueueJobs({
        jobs: [
          {
            queue: options.queue,
            name: `map ${options.data.join(' ')}`.slice(0, 200),
            work: {
              kind: 'task',
              task: 'skein-map',
              module: { path: MAP_TASKS },
              input: {
                dataSet,
                ...(work === undefined ? {} : { work }),
                ...(group === false ? {} : { group }),
                format: options.format ?? dataSet.format,
                resources: { cores: options.cores, memoryBytes: options.memory },
                attempts: options.attempts,
              },
            },
            resources: CONDUCTOR,
            retry: { maxAttempts: 1000, backoffMs: 1000, maxBackoffMs: 60_000 },
          },
        ],
      });
      running = jobs[0];
      if (running === undefined) throw new SkeinError('INTERNAL', 'The node accepted no job.');
      const job = await followJob(context, client, running.id);
      if (job.state !== 'succeeded') return { job, shards: 0, sizeBytes: 0, fetched: [] };
      const result = job.result?.value as DataSet;
      const fetched =
        options.out === undefined ? [] : await fetchShards(context, client, result, options.out);
      const sizeBytes = result.shards.reduce((sum, shard) => sum + shard.sizeBytes, 0);
      return { job, shards: result.shards.length, sizeBytes, fetched };
    } finally {
      await connection.close();
    }
  },
  render({ job, shards, sizeBytes, fetched }, style) {
    const [first, ...rest] = fetched;
    return [
      endText(job, style),
      ...(job.state === 'succeeded' ? [`  ${shards} shards, ${formatBytes(sizeBytes)}`] : []),
      ...(first === undefined
        ? []
        : [style.dim(`  wrote ${first}${rest.length > 0 ? ` and ${rest.length} more` : ''}`)]),
    ].join('\n');
  },
  exitCode: ({ job }) => (hasEnded(job.state) && job.state !== 'succeeded' ? 1 : 0),
});

/** Uploads tables in shards; a manifest names shards that are stored already. */
async function dataSetOf(
  context: Context,
  client: Client,
  files: readonly string[],
  shardBytes: number,
  columns: readonly string[],
): Promise<DataSet> {
  const [first = ''] = files;
  if (extname(first) === '.json') return readManifest(context.cwd, first);
  const formats = new Set(files.map(formatOf));
  const [format, other] = formats;
  if (format === undefined || other !== undefined) {
    throw usageError(
      `All files of --data must have one format, not ${[...formats].join(' and ')}.`,
    );
  }
  const shards: Shard[] = [];
  for (const file of files) {
    const path = resolve(context.cwd, file);
    const info = await stat(path).catch(() => undefined);
    if (info?.isFile() !== true)
      throw new SkeinError('FILE_UNREADABLE', `There is no file ${file}.`);
    const blob = await openAsBlob(path);
    const whole: Slice = { start: 0, end: info.size };
    const cut =
      format === 'parquet'
        ? { header: { start: 0, end: 0 }, slices: [whole] }
        : await cutIntoShards(path, shardBytes, {
            header: format === 'csv',
            quotes: format === 'csv',
          });
    const header = blob.slice(cut.header.start, cut.header.end);
    for (const [index, { start, end }] of cut.slices.entries()) {
      context.notes.progress(
        `Uploading ${file}: shard ${index + 1} of ${cut.slices.length} (${formatBytes(end - start)})`,
      );
      const content = new Blob([header, blob.slice(start, end)]);
      shards.push(await client.uploadArtifact({ content }, { signal: context.signal }));
    }
  }
  context.notes.clear();
  return { format, shards, ...(columns.length === 0 ? {} : { columns: columnsOf(columns) }) };
}

function formatOf(file: string): Format {
  const extension = extname(file).slice(1).toLowerCase().replace('ndjson', 'jsonl');
  const format = FORMATS.find((known) => known === extension);
  if (format === undefined) {
    throw usageError(
      `--data ${file}: the name must end with ${FORMATS.map((each) => `.${each}`).join(', ')}.`,
    );
  }
  return format;
}

function columnsOf(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((entry) => {
      const equals = entry.lastIndexOf('=');
      if (equals < 1) throw usageError(`--column: "${entry}" is not NAME=TYPE.`);
      return [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

async function readManifest(cwd: string, file: string): Promise<DataSet> {
  const content = new TextDecoder().decode(await readGivenFile(cwd, file));
  try {
    return JSON.parse(content) as DataSet;
  } catch (error) {
    throw usageError(
      `--data ${file} is no manifest: ${error instanceof Error ? error.message : ''}`,
    );
  }
}

async function workOf(
  context: Context,
  client: Client,
  command: readonly string[] | undefined,
  options: {
    readonly sql: string | undefined;
    readonly task: string | undefined;
    readonly module: string | undefined;
    readonly input: readonly string[];
    readonly image: string | undefined;
    readonly trusted: boolean;
    readonly network: 'none' | 'host';
  },
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { sql, task, module, image, trusted, network } = options;
  if (sql !== undefined) return { kind: 'sql', sql: await statement(context.cwd, sql) };
  if (task !== undefined) {
    if (module === undefined) throw usageError('--task needs --module FILE.');
    return { kind: 'task', task, module: resolve(context.cwd, module) };
  }
  if (command === undefined) return undefined;
  if (
    !command.some((word) => word.includes('{in}')) ||
    !command.some((word) => word.includes('{out}'))
  ) {
    throw usageError('The command needs {in} and {out}, which stand for the files of a shard.');
  }
  const files = await findInputs(context.cwd, options.input, command, { without: [] });
  const inputs = await uploadInputs(context, client, files);
  return {
    kind: 'command',
    argv: command,
    inputs,
    trusted,
    network,
    ...(image === undefined ? {} : { image }),
  };
}

/** `@FILE` is what the file says. */
async function statement(cwd: string, given: string): Promise<string> {
  if (!given.startsWith('@')) return given;
  return new TextDecoder().decode(await readGivenFile(cwd, given.slice(1)));
}

async function fetchShards(
  context: Context,
  client: Client,
  { format, shards }: DataSet,
  folder: string,
): Promise<string[]> {
  const target = resolve(context.cwd, folder);
  await mkdir(target, { recursive: true });
  const files: string[] = [];
  for (const [index, { digest, sizeBytes }] of shards.entries()) {
    const file = join(target, `part-${String(index).padStart(5, '0')}.${format}`);
    context.notes.progress(
      `Fetching shard ${index + 1} of ${shards.length} (${formatBytes(sizeBytes)})`,
    );
    await downloadArtifact(client, digest, file, context.signal);
    files.push(file);
  }
  context.notes.clear();
  return files;
}
