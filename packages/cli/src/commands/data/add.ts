/** `skein data add`: the next version of a data set, from files. */
import type { DataVersion, DataVersionName } from '@skein/api';
import { defineCommand } from '../../command-line/command.ts';
import {
  argument,
  bytes,
  flag,
  many,
  manyArguments,
  text,
  withDefault,
} from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { addVersion, filesIn } from '../../jobs/data-versions.ts';
import { withJobs } from '../../jobs/embedded.ts';
import { readsHere, tablesOf } from '../../jobs/tables.ts';
import { sizeOf } from '../../output/data-version.ts';

/** Memory for cutting Parquet before it is sent. */
const CUTTING_BYTES = 512 * 2 ** 20;

export const dataAdd = defineCommand({
  name: 'data add',
  summary: 'Add the next version of a data set: its files with digests, its schema, its rows.',
  details:
    'A version never changes. Its files are stored as artifacts, equal content once; with --in-place they stay where they lie, and a file that has changed is refused when it is read. Files with equal content as the newest version add nothing. A version is given as NAME@1 wherever a table is: to skein map, skein train and skein data.',
  examples: {
    'skein data add heart heart.csv': 'The first version is heart@1',
    'skein data add logs \'logs/*.parquet\' --in-place --note "week 12"':
      'Large files stay where they lie',
    'skein data add clean clean/data-set.json': 'The shards that a map has written',
  },
  arguments: {
    name: argument('NAME', 'Name of the data set: a–z, 0–9, ".", "_", "-".'),
    files: manyArguments(
      'FILE',
      'Table: .csv, .tsv, .jsonl or .parquet, a folder or a pattern of these, or a manifest, .json.',
      { required: true, completes: 'file' },
    ),
  },
  options: {
    inPlace: flag('Read the files of this machine where they lie, and store only their digests.'),
    note: text('TEXT', 'Note that is kept with the version.'),
    csv: many('NAME=VALUE', 'Setting of CSV that is not found out, as of skein map.'),
    column: many('NAME=TYPE', 'DuckDB type of a column of CSV or JSON lines.'),
    shard: withDefault(bytes('Size of the parts that large files are stored in.'), '64MiB'),
    queue: withDefault(text('NAME', 'Queue of the job that finds the schema.'), 'default'),
    ...connectionOptions,
  },
  async run(
    context,
    { name, files, inPlace, note, csv, column, shard, queue, ...choice },
  ): Promise<DataVersion> {
    return withJobs(
      context,
      { ...choice, mayStart: true, queues: [queue] },
      async (client, submit, isHere) => {
        if (inPlace && !(isHere && (await readsHere(client)))) {
          throw usageError(
            '--in-place needs a node on this machine whose workers read its files; leave it out to store them.',
          );
        }
        const versions: DataVersionName[] = [];
        const { data, ...others } = await tablesOf(context, client, files, {
          shardBytes: shard,
          resources: { cores: 1, memoryBytes: CUTTING_BYTES },
          columns: column,
          csv,
          inPlace,
          onVersion: (version) => versions.push(version),
        });
        if (data === undefined || Object.keys(others).length > 0) {
          throw usageError('A data set is one table: give its files without NAME=.');
        }
        const from = versions.length === 0 ? { files: filesIn(context.cwd, files) } : { versions };
        return addVersion(context, { client, submit }, data, {
          name,
          note: note ?? '',
          from,
          queue,
        });
      },
    );
  },
  render: (version, style) =>
    `${style.green('✓')} ${style.bold(`${version.name}@${version.version}`)}  ${sizeOf(version)}`,
});
