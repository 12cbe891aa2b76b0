/** `skein queue schedule rm`. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { argument } from '../option.ts';

export const queueScheduleRm = defineCommand({
  name: 'queue schedule rm',
  summary: 'Remove a schedule; jobs that it has enqueued stay.',
  examples: [{ command: 'skein queue schedule rm nightly', does: 'It enqueues no more jobs' }],
  arguments: { schedule: argument('NAME', 'The schedule.') },
  options: connectionOptions,
  async run(context, { schedule, ...choice }) {
    return withJobs(context, choice, async (client) => {
      await client.removeSchedule({ schedule }, { signal: context.signal });
      return { schedule };
    });
  },
  render: ({ schedule }, style) => `${style.bold(schedule)} is removed`,
});
