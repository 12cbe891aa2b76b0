/** `skein queue drain`. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { argument } from '../option.ts';

export const queueDrain = defineCommand({
  name: 'queue drain',
  summary: 'Accept no more jobs into a queue; queued jobs still run.',
  examples: [{ command: 'skein queue drain default', does: 'Before maintenance' }],
  arguments: { queue: argument('NAME', 'The queue.') },
  options: connectionOptions,
  async run(context, { queue, ...choice }) {
    return withJobs(context, choice, (client) =>
      client.setQueueMode({ queue, mode: 'draining' }, { signal: context.signal }),
    );
  },
  render: ({ queue, mode }, style) => `${style.bold(queue)} is ${mode}`,
});
