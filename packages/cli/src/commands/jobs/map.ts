/** `skein map`: processes every shard of a data set, with a shuffle for rows that belong together. */
import type { JobView } from '@skein/api';
import { hasEnded } from '@skein/api/job-states';
import type { MapOutput } from '@skein/jobs/map';
import { formatBytes } from '@skein/api/units';
import { defineCommand } from '../../command-line/command.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { downloadDataSet, makeOutFolder, uploadDataSet } from '../../jobs/data-set.ts';
import { withJobs } from '../../jobs/embedded.ts';
import { followJob } from '../../jobs/follow.ts';
import { workOf } from '../../jobs/map-work.ts';
import { givenText } from '../../file.ts';
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
} from '../../command-line/option.ts';
import { endText } from '../../output/job.ts';
import { trustOptions } from '../../connection/trust.ts';
import { usageError } from '../../command-line/usage.ts';

const FORMATS = ['csv', 'jsonl', 'parquet'] as const;

export interface MapOutcome {
  readonly job: JobView;
  readonly shards: number;
  readonly sizeBytes: number;
  /** Files that were written. */
  readonly fetched: readonly string[];
}

const PARTITIONS = 8;

/** The job that conducts the map only waits; it must not occupy the cores of a shard. */
const CONDUCTOR = { cores: 0.05, memoryBytes: 256 * 2 ** 20 };

export const map = defineCommand({
  name: 'map',
  summary: 'Process every shard of a data set in parallel.',
  details:
    'Tables are cut into shards between their rows and stored as artifacts. Each shard is a job: a SQL statement over the view shard (DuckDB), a command, or a task. In a command, {in} and {out} stand for the files of a shard. With --by, rows with equal keys are brought together from all shards for --reduce, a statement over the view part. Memory is bounded by --memory for each job, however large the data set is: a statement that sorts or groups more spills to disk. --out also writes a manifest, which is --data for the next map.',
  examples: {
    'skein map --data sales.csv --sql "SELECT * FROM shard WHERE amount > 0" --out clean': 'Filter',
    'skein map --data sales.csv --by city --reduce "SELECT city, sum(amount) AS total FROM part GROUP BY city" --out totals --format parquet':
      'Group',
    'skein map --data clean/data-set.json --sql "SELECT avg(amount) FROM shard"':
      'What another map has left',
    'skein map --data text.jsonl --out clean -- python3 clean.py {in} {out}':
      'A program of any language',
  },
  arguments: {
    command: optionalRest('COMMAND…', 'A program for each shard, with {in} and {out}.'),
  },
  options: {
    data: many('FILE', 'Table: .csv, .jsonl or .parquet; or the manifest of a data set, .json.'),
    sql: text('SQL', 'Statement over the view shard, or @FILE.sql.'),
    task: text(
      'NAME',
      'Task that takes { digest, format } and returns { digest, sizeBytes }; of --module, or one that workers offer.',
    ),
    module: text('FILE', 'Module that exports the task, at this path on every worker.'),
    by: many('COLUMN', 'Bring rows with equal values of this column together.'),
    reduce: text(
      'SQL',
      'Statement over the view part, which has all rows of its keys, or @FILE.sql.',
    ),
    partitions: integer('N', 'Partitions of the shuffle; default: 8.', [1, 4096]),
    shard: withDefault(bytes('Size of a shard.'), '64MiB'),
    column: many(
      'NAME=TYPE',
      'DuckDB type of a column of CSV or JSON lines, where a guess from its rows is wrong.',
    ),
    format: choice(FORMATS, 'Format of the output; default: the format of the data.'),
    out: text('FOLDER', 'Folder for the shards and their manifest, data-set.json.'),
    input: many('PATH', 'File that every shard’s command needs.', { completes: 'file' }),
    queue: withDefault(text('NAME', 'Queue.'), 'default'),
    cores: withDefault(decimal('N', 'Cores of each job.', [0.01, 4096]), '1'),
    memory: withDefault(
      bytes('Memory of each job; a statement needs 320MiB, and 128MiB for each further core.'),
      '512MiB',
    ),
    attempts: withDefault(integer('N', 'Attempts of each job.', [1, 1000]), '3'),
    image: text('IMAGE', 'Root file system of the command’s sandbox.'),
    trusted: flag('Allow the command to run without isolation.'),
    network: withDefault(choice(['none', 'host'], 'Network access; host needs --trusted.'), 'none'),
    server: connectionOptions.server,
    key: connectionOptions.key,
    ...trustOptions,
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
    if (options.partitions !== undefined && !grouped) {
      throw usageError('--partitions is for the shuffle of --by COLUMN, and there is none.');
    }
    if (kinds.length === 0 && !grouped) {
      throw usageError('Give the work: --sql, --task, a command, or --by with --reduce.');
    }
    if (options.module !== undefined && options.task === undefined) {
      throw usageError('--module FILE exports the task that --task NAME names: give both.');
    }
    const ofCommands = {
      '--input': options.input.length > 0,
      '--image': options.image !== undefined,
      '--trusted': options.trusted,
      '--network host': options.network === 'host',
    };
    const [unused] = Object.entries(ofCommands).filter(([, isGiven]) => isGiven);
    if (command === undefined && unused !== undefined) {
      throw usageError(`${unused[0]} is for a command over the shards, and there is none.`);
    }
    // Before any job starts, so that no work is lost for a folder that cannot be made.
    if (options.out !== undefined) await makeOutFolder(cwd, options.out);
    return withJobs(
      context,
      { ...options, data: options.folder, mayStart: true, queues: [options.queue] },
      async (client, submit) => {
        const resources = { cores: options.cores, memoryBytes: options.memory };
        const dataSet = await uploadDataSet(context, client, options.data, {
          shardBytes: options.shard,
          resources,
          columns: options.column,
        });
        const work = await workOf(context, client, command, options);
        const group = grouped && {
          by: [...options.by],
          partitions: options.partitions ?? PARTITIONS,
          sql: await givenText(cwd, options.reduce ?? ''),
        };
        const { id } = await submit({
          queue: options.queue,
          name: `map ${options.data.join(' ')}`.slice(0, 200),
          work: {
            kind: 'task',
            task: 'skein-map',
            module: { offered: true },
            input: {
              dataSet,
              ...(work === undefined ? {} : { work }),
              ...(group === false ? {} : { group }),
              format: options.format ?? dataSet.format,
              resources,
              attempts: options.attempts,
            },
          },
          resources: CONDUCTOR,
          requires: ['task:skein-map'],
          retry: { maxAttempts: 1000, backoffMs: 1000, maxBackoffMs: 60_000 },
        });
        const job = await followJob(context, client, id);
        const value = job.state === 'succeeded' ? job.result?.value : undefined;
        if (value === undefined) return { job, shards: 0, sizeBytes: 0, fetched: [] };
        const { manifest, shards, sizeBytes } = value as MapOutput;
        const fetched =
          options.out === undefined
            ? []
            : await downloadDataSet(context, client, manifest, options.out);
        return { job, shards, sizeBytes, fetched };
      },
    );
  },
  render({ job, shards, sizeBytes, fetched }, style) {
    const [first, ...rest] = fetched;
    return [
      endText(job, style),
      ...(job.state === 'succeeded'
        ? [`  ${shards} ${shards === 1 ? 'shard' : 'shards'}, ${formatBytes(sizeBytes)}`]
        : []),
      ...(first === undefined
        ? []
        : [style.dim(`  wrote ${first}${rest.length > 0 ? ` and ${rest.length} more` : ''}`)]),
    ].join('\n');
  },
  exitCode: ({ job }) => (hasEnded(job.state) && job.state !== 'succeeded' ? 1 : 0),
});
