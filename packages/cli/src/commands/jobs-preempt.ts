/** `skein jobs preempt`: stops a running attempt without losing its progress. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { argument } from '../option.ts';
import { stateText } from '../output/job.ts';

export const jobsPreempt = defineCommand({
  name: 'jobs preempt',
  summary: 'Let a running attempt save its checkpoint and stop; the job goes back to its queue.',
  details:
    'The command gets a SIGTERM, and a kill after the grace period of its worker. That costs no attempt. Pause the queue before, or it may start again at once. A job that is not running is left as it is.',
  examples: [{ command: 'skein jobs preempt ID', does: 'It goes on later from its checkpoint' }],
  arguments: { id: argument('ID', 'The job.') },
  options: connectionOptions,
  async run(context, { id, ...choice }) {
    return withJobs(context, choice, (client) =>
      client.preemptJob({ id }, { signal: context.signal }),
    );
  },
  render: ({ id, state }, style) =>
    state === 'running'
      ? `${id} is asked to save and stop`
      : `${id} is ${stateText(state, style)}: there is nothing to stop`,
});
