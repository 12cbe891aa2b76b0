/** `skein queue schedule ls`: the schedules of jobs. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { renderTable } from '../output/table.ts';

export const queueScheduleLs = defineCommand({
  name: 'queue schedule ls',
  summary: 'List the schedules, and when each enqueues its next job.',
  examples: [{ command: 'skein queue schedule ls', does: 'All schedules' }],
  arguments: {},
  options: connectionOptions,
  async run(context, choice) {
    return withJobs(context, choice, (client) =>
      client.listSchedules(undefined, { signal: context.signal }),
    );
  },
  render({ schedules }, style) {
    if (schedules.length === 0) {
      return `There are no schedules. Try ${style.cyan("skein queue schedule put nightly --cron '0 3 * * *' -- date")}.`;
    }
    return renderTable(
      [
        { title: 'SCHEDULE' },
        { title: 'CRON' },
        { title: 'TIME ZONE' },
        { title: 'NEXT' },
        { title: 'QUEUE' },
        { title: 'JOB' },
      ],
      schedules.map(({ id, cron, timeZone, paused, nextAt, queue, name }) => [
        style.bold(id),
        cron,
        timeZone,
        paused ? style.yellow('paused') : nextAt,
        queue,
        name.slice(0, 40),
      ]),
      style,
    );
  },
});
