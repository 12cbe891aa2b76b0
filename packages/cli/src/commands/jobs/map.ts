/** `skein map`: a statement over tables of any size, or other work on every shard of one. */
import type { DataVersion, DataVersionName, JobView } from '@skein/api';
import { defined } from '@skein/api/defined';
import { hasEnded } from '@skein/api/job-states';
import type { MapOutput } from '@skein/jobs/map';
import { formatBytes } from '@skein/api/units';
import { defineCommand } from '../../command-line/command.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { accessOf, accessOptions } from '../../jobs/ask-tables.ts';
import { rowsOf } from '../../jobs/data-set.ts';
import { withJobs } from '../../jobs/embedded.ts';
import { followJob } from '../../jobs/follow.ts';
import { mapJob } from '../../jobs/map-job.ts';
import { filesIn, requireName, saveMap } from '../../jobs/data-versions.ts';
import { workOf } from '../../jobs/map-work.ts';
import { openSink, writeResult } from '../../jobs/sink.ts';
import { requireTokenUse } from '@skein/state/sources';
import { readsHere, tablesOf } from '../../jobs/tables.ts';
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
import { nameOf } from '../../output/data-version.ts';
import { endText } from '../../output/job.ts';
import { trustOptions } from '../../connection/trust.ts';
import { usageError } from '../../command-line/usage.ts';

const FORMATS = ['csv', 'jsonl', 'parquet'] as const;

export interface MapOutcome {
  readonly job: JobView;
  readonly shards: number;
  readonly sizeBytes: number;
  /** The steps, each with its reason. */
  readonly plan: readonly string[];
  /** The rows where no folder was named for them and they are few; as text of their format. */
  readonly rows?: string | undefined;
  /** The version that the rows became. */
  readonly saved?: DataVersion;
  /** Files that were written. */
  readonly fetched: readonly string[];
}

/** Rows of this size are shown: some screens of them. */
const SHOWN_BYTES = 16 * 2 ** 10;

/** Memory for cutting Parquet before it is sent. */
const CUTTING_BYTES = 512 * 2 ** 20;

export const map = defineCommand({
  name: 'map',
  summary: 'Run a statement over tables of any size, or a program over every shard of one.',
  details:
    'A statement is SQL over the view data, and over other tables that have names (DuckDB). A node on this machine reads the files where they lie; another one gets them in shards. One worker runs the whole statement with all its cores, or several share it; --explain prints the plan. --memory bounds each job: what does not fit spills to disk. With --by, rows with equal keys are brought together for --reduce, a statement over the view part. A command or a task works on each shard: tables are cut between their rows, and {in} and {out} are its files. --out also writes a manifest: --data for the next map.',
  examples: {
    'skein map --data sales.csv --sql "SELECT city, sum(amount) AS total FROM data GROUP BY city" --out totals':
      'Group',
    'skein map --data \'logs/*.parquet\' --data users=users.csv --sql "SELECT * FROM data JOIN users USING (id)" --out joined --format parquet':
      'Join two tables, one of many files',
    'skein map --data sales.csv --csv "delim=;" --csv decimal_separator=, --sql "SELECT avg(amount) FROM data"':
      'Read CSV with semicolons and decimal commas',
    'skein map --data heart@1 --sql "FROM data WHERE age > 40" --save adults --format parquet':
      'Make a version of a data set from another one',
    'skein map --data \'s3://logs/2026/**/*.parquet\' --sql "SELECT status, count(*) FROM data GROUP BY status"':
      'Read the needed columns of files in a bucket',
    'skein map --data clean/data-set.json --sql "SELECT avg(amount) FROM data" --explain':
      'Show the plan over what another map has left',
    'skein map --data texts.parquet --function clean.py#clean --sql "SELECT id, text FROM data" --out clean':
      'A Python function over batches of rows',
    'skein map --data texts.jsonl --function skein:chunk --with tokenizer=tokenizer.json --with tokens=512 --with overlap=64 --out chunks':
      'Texts in chunks of at most 512 tokens',
    'skein map --data text.jsonl --out clean -- python3 clean.py {in} {out}':
      'A program of any language',
  },
  arguments: {
    command: optionalRest('COMMAND…', 'A program for each shard, with {in} and {out}.'),
  },
  options: {
    data: many(
      '[NAME=]FILE',
      'Table: .csv, .tsv, .jsonl or .parquet, a folder or a pattern of these, an address of one, as in s3://bucket/logs/*.parquet, a manifest, .json, or a version of a data set, such as heart@3; default name: data.',
    ),
    sql: text('SQL', 'Statement over the tables by their names, or @FILE.sql.'),
    incremental: flag(
      'Keep the results by file, so that the next map with this option reads only new and changed files.',
    ),
    explain: flag('Print the plan of the statement and its reasons, and run nothing.'),
    task: text(
      'NAME',
      'Task that takes { digest, format } and returns { digest, sizeBytes }; of --module, or one that workers offer.',
    ),
    function: text(
      'FILE[#NAME]',
      'Function over batches of the statement’s rows: of a .ts or .py file, or skein:chunk, skein:tokens, skein:images.',
    ),
    with: many('NAME=VALUE', 'Option of the function, its second argument.'),
    module: text('FILE', 'Module that exports the task, at this path on every worker.'),
    by: many('COLUMN', 'Bring rows with equal values of this column together.'),
    reduce: text(
      'SQL',
      'Statement over the view part, which has all rows of its keys, or @FILE.sql.',
    ),
    csv: many(
      'NAME=VALUE',
      'Setting of CSV that is not found out: delim, quote, escape, decimal_separator, thousands, encoding, nullstr, header, skip, comment.',
    ),
    shard: withDefault(bytes('Size of a shard.'), '64MiB'),
    column: many(
      'NAME=TYPE',
      'DuckDB type of a column of CSV or JSON lines, where a guess from its rows is wrong.',
    ),
    format: choice(FORMATS, 'Format of the output; default: the format of the data.'),
    out: text(
      'FOLDER',
      'Folder, or bucket with a prefix as in s3://bucket/totals, for the shards and their manifest, data-set.json. Without it, few rows are printed.',
    ),
    partitionBy: many(
      'COLUMN',
      'Write a folder for each value of this column, such as city=Paris; needs --out.',
    ),
    save: text('NAME', 'Add the rows as the next version of this data set; see skein data.'),
    note: text('TEXT', 'Note that is kept with this version.'),
    input: many('PATH', 'File that every shard’s command needs.', { completes: 'file' }),
    queue: withDefault(text('NAME', 'Queue.'), 'default'),
    cores: decimal(
      'N',
      'Cores of each job; default: all of a worker for a statement, else 1.',
      [0.01, 4096],
    ),
    memory: bytes(
      'Memory of each job; default: half of a worker’s for a statement, else 512MiB. A statement needs 320MiB, and 128MiB for each further core.',
    ),
    attempts: withDefault(integer('N', 'Attempts of each job.', [1, 1000]), '3'),
    image: text('IMAGE', 'Root file system of the command’s sandbox.'),
    trusted: flag('Allow the command to run without isolation.'),
    network: withDefault(choice(['none', 'host'], 'Network access; host needs --trusted.'), 'none'),
    ...accessOptions,
    server: connectionOptions.server,
    key: connectionOptions.key,
    ...trustOptions,
    folder: { ...connectionOptions.data },
  },
  async run(context, { command, ...options }): Promise<MapOutcome> {
    const { cwd } = context;
    if (options.data.length === 0) throw usageError('--data FILE is missing: the tables.');
    requireTokenUse(
      options.tokenEnv,
      options.data.map((entry) => entry.replace(/^\w+=/, '')),
    );
    const kinds = [options.function ?? options.sql, options.task, command].filter(
      (given) => given !== undefined,
    );
    if (kinds.length > 1) {
      throw usageError('--sql or --function, --task and a command exclude each other.');
    }
    if (options.with.length > 0 && options.function === undefined) {
      throw usageError('--with NAME=VALUE is an option of --function FILE: give both.');
    }
    const grouped = options.by.length > 0;
    if (grouped !== (options.reduce !== undefined)) {
      throw usageError('--by COLUMN and --reduce SQL go together.');
    }
    if (kinds.length === 0 && !grouped) {
      throw usageError(
        'Give the work: --sql, --function, --task, a command, or --by with --reduce.',
      );
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
    const isProgram = command !== undefined || options.function?.split('#')[0]?.endsWith('.py');
    if (isProgram !== true && unused !== undefined) {
      throw usageError(`${unused[0]} is for a command over the shards, and there is none.`);
    }
    if (options.save !== undefined) requireName(options.save);
    if (options.note !== undefined && options.save === undefined) {
      throw usageError('--note TEXT is kept with the version of --save NAME: give both.');
    }
    if (options.partitionBy.length > 0) {
      const isStatement = (options.sql ?? options.function) !== undefined || grouped;
      if (options.out === undefined || !isStatement) {
        throw usageError('--partition-by COLUMN is for the result of a statement in --out FOLDER.');
      }
    }
    if (options.incremental && options.sql === undefined && !grouped) {
      throw usageError('--incremental is for a statement; other work takes kept results anyway.');
    }
    // Before any job starts, so that no work is lost for a folder that cannot be made.
    if (options.out !== undefined)
      await (await openSink(context, options.out))[Symbol.asyncDispose]();
    return withJobs(
      context,
      { ...options, data: options.folder, mayStart: true, queues: [options.queue] },
      async (client, submit, isHere) => {
        const isStatement = command === undefined && options.task === undefined;
        const work = await workOf(context, client, command, options);
        const versions: DataVersionName[] = [];
        const tables = await tablesOf(context, client, options.data, {
          shardBytes: options.shard,
          resources: { cores: options.cores ?? 1, memoryBytes: options.memory ?? CUTTING_BYTES },
          columns: options.column,
          csv: options.csv,
          inPlace: isHere && isStatement && (await readsHere(client)),
          onVersion: (version) => versions.push(version),
          access: isStatement ? accessOf(options) : undefined,
        });
        const isShown = isStatement && options.out === undefined && options.save === undefined;
        const [first] = Object.values(tables);
        const { id } = await submit(
          mapJob({ queue: options.queue, name: `map ${options.data.join(' ')}` }, tables, {
            ...defined({ work, cores: options.cores, memoryBytes: options.memory }),
            ...(grouped
              ? { group: { by: [...options.by], sql: await givenText(cwd, options.reduce ?? '') } }
              : {}),
            format: options.format ?? (isShown ? 'csv' : first!.format),
            attempts: options.attempts,
            ...(options.partitionBy.length === 0 ? {} : { folders: [...options.partitionBy] }),
            incremental: options.incremental,
            explain: options.explain,
          }),
        );
        const job = await followJob(context, client, id);
        const value = job.state === 'succeeded' ? job.result?.value : undefined;
        if (value === undefined) return { job, shards: 0, sizeBytes: 0, plan: [], fetched: [] };
        const { manifest, shards, sizeBytes, plan } = value as MapOutput;
        const fetched =
          options.out === undefined || manifest === undefined
            ? []
            : await writeResult(context, client, manifest, options.out);
        const isSmall = isShown && manifest !== undefined && sizeBytes <= SHOWN_BYTES;
        const rows = isSmall ? await rowsOf(context, client, manifest) : undefined;
        const done = { job, shards, sizeBytes, plan, ...defined({ rows }), fetched };
        if (options.save === undefined || manifest === undefined) return done;
        const statement = options.sql ?? options.reduce ?? options.function ?? command?.join(' ');
        const saved = await saveMap(context, { client, submit }, manifest, {
          name: options.save,
          note: options.note ?? '',
          queue: options.queue,
          from: {
            job: id,
            files: filesIn(cwd, options.data),
            versions,
            ...defined({ statement: statement && (await givenText(cwd, statement)) }),
          },
        });
        return { ...done, saved };
      },
    );
  },
  render({ job, shards, sizeBytes, plan, rows, fetched, saved }, style) {
    const [first, ...rest] = fetched;
    return [
      endText(job, style),
      ...plan.map((line) => `  ${line}`),
      ...(job.state === 'succeeded' && shards > 0
        ? [`  ${shards} ${shards === 1 ? 'shard' : 'shards'}, ${formatBytes(sizeBytes)}`]
        : []),
      ...(rows === undefined ? [] : [rows.trimEnd()]),
      ...(saved === undefined ? [] : [`  saved as ${style.bold(nameOf(saved))}`]),
      ...(first === undefined && rows === undefined && saved === undefined && shards > 0
        ? [style.dim('  --out FOLDER writes the rows')]
        : []),
      ...(first === undefined
        ? []
        : [style.dim(`  wrote ${first}${rest.length > 0 ? ` and ${rest.length} more` : ''}`)]),
    ].join('\n');
  },
  exitCode: ({ job }) => (hasEnded(job.state) && job.state !== 'succeeded' ? 1 : 0),
});
