/** `skein jobs cancel`: cancels queued and running jobs. */
import type { JobView } from '@skein/api';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { restArgument, text, withDefault } from '../option.ts';
import { stateText } from '../output/job.ts';

export const jobsCancel = defineCommand({
  name: 'jobs cancel',
  summary: 'Cancel jobs; a running attempt is dead within a second.',
  examples: [{ command: 'skein jobs cancel ID', does: 'Wherever it runs' }],
  arguments: { ids: restArgument('ID…', 'The jobs.') },
  options: {
    reason: withDefault(text('TEXT', 'Why, for the record.'), 'cancelled by hand'),
    ...connectionOptions,
  },
  async run(context, { ids, reason, ...choice }) {
    return withJobs(context, choice, async (client) => {
      const jobs: JobView[] = [];
      for (const id of ids) {
        jobs.push(await client.cancelJob({ id, reason }, { signal: context.signal }));
      }
      return { jobs };
    });
  },
  render: ({ jobs }, style) =>
    jobs.map((job) => `${job.id} ${stateText(job.state, style)}`).join('\n'),
});
