/** `skein queue`: the queues, and the shares of tenants. */
import type { JobState, QueueView } from '@skein/api';
import { formatAge } from '@skein/api/units';
import { jobsCommand } from '../../jobs/embedded.ts';
import { argument, decimal, integer, withDefault } from '../../command-line/option.ts';
import { resourcesText } from '../../output/job.ts';
import { type Column, renderTable } from '../../output/table.ts';

export const queueLs = jobsCommand({
  name: 'queue ls',
  summary: 'List the queues with their counts, and the workers.',
  examples: { 'skein queue ls': 'How much waits, and for how long' },
  async run({ client }) {
    const [{ queues }, { workers }] = await Promise.all([
      client.listQueues(),
      client.listWorkers(),
    ]);
    return { queues, workers };
  },
  render({ queues, workers }, style) {
    const now = Date.now();
    const count = (state: JobState): Column<QueueView> => [
      state.toUpperCase(),
      ({ counts }) => String(counts[state] ?? 0),
      'right',
    ];
    const queueTable = renderTable(style, queues, [
      ['QUEUE', ({ queue }) => style.bold(queue)],
      ['MODE', ({ mode }) => (mode === 'open' ? mode : style.yellow(mode))],
      ...(['blocked', 'ready', 'running', 'succeeded', 'failed', 'dead'] as const).map(count),
      [
        'OLDEST WAITS SINCE',
        ({ oldestReadyAt }) => (oldestReadyAt === undefined ? '' : formatAge(oldestReadyAt, now)),
      ],
    ]);
    const workerTable = renderTable(style, workers, [
      ['WORKER', ({ worker }) => worker],
      ['HOST', ({ host }) => host],
      ['QUEUES', (worker) => worker.queues.join(',')],
      ['RUNNING', ({ running }) => String(running), 'right'],
      ['OFFERS', ({ total }) => resourcesText(total)],
      ['SEEN', ({ seenAt }) => formatAge(seenAt, now)],
      ['LABELS', ({ labels }) => labels.join(' ')],
    ]);
    return `${queueTable}\n\n${workerTable}`;
  },
});

export const queuePause = modeCommand('queue pause', 'paused', {
  summary: 'Start no more jobs from a queue; running jobs continue.',
  does: 'Nothing starts until it is opened',
});
export const queueDrain = modeCommand('queue drain', 'draining', {
  summary: 'Accept no more jobs into a queue; queued jobs still run.',
  does: 'Before maintenance',
});
export const queueOpen = modeCommand('queue open', 'open', {
  summary: 'Open a paused or draining queue again.',
  does: 'Resume work',
});

function modeCommand(
  name: string,
  mode: QueueView['mode'],
  { summary, does }: { readonly summary: string; readonly does: string },
) {
  return jobsCommand({
    name,
    summary,
    examples: { [`skein ${name} default`]: does },
    arguments: { queue: argument('NAME', 'The queue.') },
    run: ({ client }, { queue }) => client.setQueueMode({ queue, mode }),
    render: (view, style) => `${style.bold(view.queue)} is ${view.mode}`,
  });
}

export const queueTenant = jobsCommand({
  name: 'queue tenant',
  summary: 'Set the share of a tenant, and its limits of queued and running jobs.',
  details:
    'A share is over cores or memory, whichever the tenant uses more of. An omitted limit is unlimited.',
  examples: {
    'skein queue tenant students --weight 2 --max-running 50': 'Twice the share',
  },
  arguments: { tenant: argument('NAME', 'The tenant.') },
  options: {
    weight: withDefault(decimal('N', 'Share relative to other tenants.', [0.001, 1_000_000]), '1'),
    maxRunning: integer('N', 'Jobs that may run at once.', [0, 1_000_000]),
    maxQueued: integer('N', 'Jobs that may wait.', [0, 100_000_000]),
    rate: decimal('N', 'Jobs per second that may be enqueued.', [0.001, 1_000_000]),
  },
  run: ({ client }, { rate, ...tenant }) => client.putTenant({ ...tenant, jobsPerSecond: rate }),
  render: ({ tenant, weight, maxRunning, maxQueued, jobsPerSecond }, style) =>
    `${style.bold(tenant)} has weight ${weight}, runs up to ${maxRunning ?? 'any number'}, queues up to ${maxQueued ?? 'any number'}${jobsPerSecond === undefined ? '' : `, ${jobsPerSecond} per second`}`,
});

export const queueTenants = jobsCommand({
  name: 'queue tenants',
  summary: 'List the tenants that have jobs or quotas, with their shares.',
  examples: { 'skein queue tenants': 'What skein queue tenant has set' },
  run: ({ client }) => client.listTenants(),
  render({ tenants }, style) {
    if (tenants.length === 0) return 'No tenant has had a job or a quota.';
    const limit = (value: number | undefined): string =>
      value === undefined ? 'any' : String(value);
    return renderTable(style, tenants, [
      ['TENANT', ({ tenant }) => style.bold(tenant)],
      ['WEIGHT', ({ weight }) => String(weight), 'right'],
      ['RUNS UP TO', ({ maxRunning }) => limit(maxRunning), 'right'],
      ['QUEUES UP TO', ({ maxQueued }) => limit(maxQueued), 'right'],
      ['PER SECOND', ({ jobsPerSecond }) => limit(jobsPerSecond), 'right'],
    ]);
  },
});
