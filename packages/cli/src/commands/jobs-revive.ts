/** `skein jobs revive`: brings dead letters back. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { argument } from '../option.ts';
import { stateText } from '../output/job.ts';

export const jobsRevive = defineCommand({
  name: 'jobs revive',
  summary: 'Bring a failed, dead or cancelled job back, with the children that it failed.',
  examples: [{ command: 'skein jobs revive ID', does: 'After its cause is fixed' }],
  arguments: { id: argument('ID', 'The job.') },
  options: connectionOptions,
  async run(context, { id, ...choice }) {
    return withJobs(context, choice, (client) =>
      client.reviveJob({ id }, { signal: context.signal }),
    );
  },
  render: (job, style) => `${job.id} is ${stateText(job.state, style)} again`,
});
