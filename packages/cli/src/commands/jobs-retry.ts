/** `skein jobs retry`: the same work again, as a new job. */
import type { JobView, NewJobInput } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { withJobs } from '../jobs/embedded.ts';
import { argument } from '../option.ts';

export const jobsRetry = defineCommand({
  name: 'jobs retry',
  summary: 'Enqueue the same work again as a new job, whatever the state of the first.',
  details:
    'The new job waits for no parents, and has the time to finish that the first one had. skein jobs revive brings the job itself back instead, with the children it failed, and is the way for a member of a gang.',
  examples: [{ command: 'skein jobs retry ID', does: 'The new job’s id is printed' }],
  arguments: { id: argument('ID', 'The job.') },
  options: connectionOptions,
  async run(context, { id, ...choice }) {
    const call = { signal: context.signal };
    return withJobs(context, choice, async (client) => {
      const again = sameWorkAs(await client.getJob({ id }, call));
      const [job] = (await client.enqueueJobs({ jobs: [again] }, call)).jobs;
      if (job === undefined) throw new SkeinError('INTERNAL', 'The node accepted no job.');
      return job;
    });
  },
  render: (job, style) => `${job.id}\n${style.dim(`Follow it: skein jobs logs -f ${job.id}`)}`,
});

/** @throws SkeinError JOB_IN_GANG. */
function sameWorkAs(job: JobView): NewJobInput {
  const { queue, name, work, priority, resources, requires, retry, retentionMs } = job;
  if (job.gang !== undefined) {
    throw new SkeinError(
      'JOB_IN_GANG',
      `Job ${job.id} is one of the ${job.gang.size} members of the gang ${job.gang.id}.`,
    );
  }
  const withinMs =
    job.deadline === undefined ? undefined : Date.parse(job.deadline) - Date.parse(job.enqueuedAt);
  return {
    queue,
    name,
    work,
    priority,
    resources,
    requires,
    retry,
    retentionMs,
    // A cached success would be returned instead of running again.
    cache: job.cache && job.state !== 'succeeded',
    ...(job.group === undefined ? {} : { group: job.group }),
    ...(withinMs === undefined ? {} : { finishWithinMs: Math.max(1, withinMs) }),
  };
}
