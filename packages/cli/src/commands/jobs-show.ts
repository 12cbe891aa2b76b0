/** `skein jobs show`: one job with every attempt. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { argument } from '../option.ts';
import { renderJob } from '../output/job.ts';

export const jobsShow = defineCommand({
  name: 'jobs show',
  summary: 'Show one job with its attempts, usage and outputs.',
  examples: [{ command: 'skein jobs show ID --json', does: 'All of it' }],
  arguments: { id: argument('ID', 'The job.') },
  options: connectionOptions,
  async run(context, { id, ...choice }) {
    return withJobs(context, choice, (client) => client.getJob({ id }, { signal: context.signal }));
  },
  render: renderJob,
});
