/** `skein queue tenant`: the share and the quotas of a tenant. */
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { argument, decimal, integer, withDefault } from '../option.ts';

export const queueTenant = defineCommand({
  name: 'queue tenant',
  summary: 'Set the share of a tenant, and how much it may queue and run.',
  details:
    'A share is over cores or memory, whichever the tenant uses more of. An omitted limit is unlimited.',
  examples: [
    { command: 'skein queue tenant students --weight 2 --max-running 50', does: 'Twice the share' },
  ],
  arguments: { tenant: argument('NAME', 'The tenant.') },
  options: {
    weight: withDefault(
      decimal('N', 'Share relative to other tenants.', { min: 0.001, max: 1_000_000 }),
      '1',
    ),
    maxRunning: integer('N', 'Jobs that may run at once.', { min: 0, max: 1_000_000 }),
    maxQueued: integer('N', 'Jobs that may wait.', { min: 0, max: 100_000_000 }),
    rate: decimal('N', 'Jobs per second that may be enqueued.', { min: 0.001, max: 1_000_000 }),
    ...connectionOptions,
  },
  async run(context, { tenant, weight, maxRunning, maxQueued, rate, ...choice }) {
    return withJobs(context, choice, (client) =>
      client.putTenant(
        {
          tenant,
          weight,
          ...(maxRunning === undefined ? {} : { maxRunning }),
          ...(maxQueued === undefined ? {} : { maxQueued }),
          ...(rate === undefined ? {} : { jobsPerSecond: rate }),
        },
        { signal: context.signal },
      ),
    );
  },
  render: ({ tenant, weight, maxRunning, maxQueued, jobsPerSecond }, style) =>
    `${style.bold(tenant)} has weight ${weight}, runs up to ${maxRunning ?? 'any number'}, queues up to ${maxQueued ?? 'any number'}${jobsPerSecond === undefined ? '' : `, ${jobsPerSecond} per second`}`,
});
