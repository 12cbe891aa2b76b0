/** `skein jobs ls`: the jobs and their states. */
import { JobState } from '@skein/api';
import { formatAge } from '@skein/api/units';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { choice, integer, text, withDefault } from '../option.ts';
import { stateText, tookText } from '../output/job.ts';
import { renderTable } from '../output/table.ts';

export const jobsLs = defineCommand({
  name: 'jobs ls',
  summary: 'List jobs, newest first.',
  examples: [
    { command: 'skein jobs ls --state dead', does: 'The dead letters' },
    { command: 'skein jobs ls --queue nightly --limit 20', does: 'One queue' },
  ],
  arguments: {},
  options: {
    state: choice(JobState.options, 'Only jobs in this state.'),
    queue: text('NAME', 'Only this queue.'),
    group: text('ID', 'Only this pipeline run or submission.'),
    tenant: text('NAME', 'Only this tenant.'),
    limit: withDefault(integer('N', 'Jobs to list.', { min: 1, max: 1000 }), '50'),
    after: text('CURSOR', 'The next page, as the last one named it.'),
    ...connectionOptions,
  },
  async run(context, { state, queue, group, tenant, limit, after, ...connection }) {
    return withJobs(context, connection, (client) =>
      client.listJobs(
        {
          limit,
          ...(state === undefined ? {} : { state }),
          ...(queue === undefined ? {} : { queue }),
          ...(group === undefined ? {} : { group }),
          ...(tenant === undefined ? {} : { tenant }),
          ...(after === undefined ? {} : { after }),
        },
        { signal: context.signal },
      ),
    );
  },
  render({ jobs, next }, style) {
    if (jobs.length === 0) {
      return `There are no such jobs. Try ${style.cyan('skein run -- echo hello')}.`;
    }
    const now = Date.now();
    const table = renderTable(
      [
        { title: 'ID' },
        { title: 'STATE' },
        { title: 'QUEUE' },
        { title: 'TRIES', align: 'right' },
        { title: 'TOOK', align: 'right' },
        { title: 'ENQUEUED' },
        { title: 'NAME' },
        { title: 'NOTE' },
      ],
      jobs.map((job) => [
        job.id,
        stateText(job.state, style),
        job.queue,
        String(job.attempts.length),
        tookText(job, now),
        formatAge(job.enqueuedAt, now),
        job.name.slice(0, 40),
        job.cause === undefined ? '' : `${job.cause}: ${job.message ?? ''}`,
      ]),
      style,
    );
    return next === undefined ? table : `${table}\n${style.dim(`More: --after ${next}`)}`;
  },
});
