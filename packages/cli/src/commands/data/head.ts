/** `skein data head`: the first rows of a version, or of files. */
import { defineCommand } from '../../command-line/command.ts';
import { argument, integer, text, withDefault } from '../../command-line/option.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { findVersion, rowsByStatement, sourceOf } from '../../jobs/data-versions.ts';
import { withJobs } from '../../jobs/embedded.ts';
import { renderTable } from '../../output/table.ts';
import { VERSION_ARGUMENT } from './show.ts';

export const dataHead = defineCommand({
  name: 'data head',
  summary: 'Show the first rows of a version of a data set.',
  examples: { 'skein data head heart@1 --rows 5': 'Five rows' },
  arguments: { version: argument('NAME[@VERSION]', VERSION_ARGUMENT) },
  options: {
    rows: withDefault(integer('N', 'Rows to show.', [1, 1000]), '10'),
    queue: withDefault(text('NAME', 'Queue of the job that reads them.'), 'default'),
    ...connectionOptions,
  },
  async run(context, { version, rows, queue, ...choice }) {
    return withJobs(
      context,
      { ...choice, mayStart: true, queues: [queue] },
      async (client, submit) => {
        const found = await findVersion(client, version);
        const read = await rowsByStatement(context, { client, submit }, await sourceOf(found), {
          queue,
          name: `head ${found.name}@${found.version}`,
          sql: `FROM data LIMIT ${rows}`,
        });
        return { columns: found.contents.columns.map(({ name }) => name), rows: read };
      },
    );
  },
  render: ({ columns, rows }, style) =>
    renderTable(
      style,
      rows,
      columns.map((name) => [name, (row: Readonly<Record<string, unknown>>) => cellOf(row[name])]),
    ),
});

const cellOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value ?? '');
