/** `skein queue open`. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { argument } from '../option.ts';

export const queueOpen = defineCommand({
  name: 'queue open',
  summary: 'Open a paused or draining queue again.',
  examples: [{ command: 'skein queue open default', does: 'Work goes on' }],
  arguments: { queue: argument('NAME', 'The queue.') },
  options: connectionOptions,
  async run(context, { queue, ...choice }) {
    return withJobs(context, choice, (client) =>
      client.setQueueMode({ queue, mode: 'open' }, { signal: context.signal }),
    );
  },
  render: ({ queue, mode }, style) => `${style.bold(queue)} is ${mode}`,
});
