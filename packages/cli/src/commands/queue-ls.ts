/** `skein queue ls`: the queues, their backlogs and their workers. */
import { formatAge, formatBytes } from '@skein/api/units';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { renderTable } from '../output/table.ts';

export const queueLs = defineCommand({
  name: 'queue ls',
  summary: 'List the queues with their counts, and the workers.',
  examples: [{ command: 'skein queue ls', does: 'How much waits, and for how long' }],
  arguments: {},
  options: connectionOptions,
  async run(context, choice) {
    const call = { signal: context.signal };
    return withJobs(context, choice, async (client) => {
      const [{ queues }, { workers }] = await Promise.all([
        client.listQueues(undefined, call),
        client.listWorkers(undefined, call),
      ]);
      return { queues, workers };
    });
  },
  render({ queues, workers }, style) {
    const now = Date.now();
    const queueTable = renderTable(
      [
        { title: 'QUEUE' },
        { title: 'MODE' },
        { title: 'BLOCKED', align: 'right' },
        { title: 'READY', align: 'right' },
        { title: 'RUNNING', align: 'right' },
        { title: 'SUCCEEDED', align: 'right' },
        { title: 'FAILED', align: 'right' },
        { title: 'DEAD', align: 'right' },
        { title: 'OLDEST WAITS SINCE' },
      ],
      queues.map(({ queue, mode, counts, oldestReadyAt }) => [
        style.bold(queue),
        mode === 'open' ? mode : style.yellow(mode),
        ...(['blocked', 'ready', 'running', 'succeeded', 'failed', 'dead'] as const).map((state) =>
          String(counts[state] ?? 0),
        ),
        oldestReadyAt === undefined ? '' : formatAge(oldestReadyAt, now),
      ]),
      style,
    );
    const workerTable = renderTable(
      [
        { title: 'WORKER' },
        { title: 'HOST' },
        { title: 'QUEUES' },
        { title: 'RUNNING', align: 'right' },
        { title: 'OFFERS' },
        { title: 'SEEN' },
        { title: 'LABELS' },
      ],
      workers.map((worker) => [
        worker.worker,
        worker.host,
        worker.queues.join(','),
        String(worker.running),
        `${worker.total.cores} cores, ${formatBytes(worker.total.memoryBytes)}`,
        formatAge(worker.seenAt, now),
        worker.labels.join(' '),
      ]),
      style,
    );
    return `${queueTable}\n\n${workerTable}`;
  },
});
