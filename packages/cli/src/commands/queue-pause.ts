/** `skein queue pause`. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { argument } from '../option.ts';

export const queuePause = defineCommand({
  name: 'queue pause',
  summary: 'Start no more jobs from a queue; running jobs continue.',
  examples: [{ command: 'skein queue pause default', does: 'Nothing starts until it is opened' }],
  arguments: { queue: argument('NAME', 'The queue.') },
  options: connectionOptions,
  async run(context, { queue, ...choice }) {
    return withJobs(context, choice, (client) =>
      client.setQueueMode({ queue, mode: 'paused' }, { signal: context.signal }),
    );
  },
  render: ({ queue, mode }, style) => `${style.bold(queue)} is ${mode}`,
});
