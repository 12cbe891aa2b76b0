/** `skein jobs retry`: the same work again, as a new job. */
import { SkeinError } from '@skein/api/errors';
import { defineCommand } from '../command.ts';
import { connect, connectionOptions } from '../connection.ts';
import { argument } from '../option.ts';

export const jobsRetry = defineCommand({
  name: 'jobs retry',
  summary: 'Enqueue the same work again as a new job, whatever became of the first.',
  details: 'skein jobs revive brings the job itself back instead, with the children it failed.',
  examples: [{ command: 'skein jobs retry ID', does: 'The new job’s id is printed' }],
  arguments: { id: argument('ID', 'The job.') },
  options: connectionOptions,
  async run(context, { id, ...choice }) {
    const { client } = await connect(context, choice);
    const call = { signal: context.signal };
    const { queue, name, work, priority, resources, requires, retry } = await client.getJob(
      { id },
      call,
    );
    const { jobs } = await client.enqueueJobs(
      { jobs: [{ queue, name, work, priority, resources, requires, retry }] },
      call,
    );
    const [job] = jobs;
    if (job === undefined) throw new SkeinError('INTERNAL', 'The node accepted no job.');
    return job;
  },
  render: (job, style) => `${job.id}\n${style.dim(`Follow it: skein jobs logs -f ${job.id}`)}`,
});
