/** `skein jobs`: shows jobs, and acts on them. */
import { defined } from '@skein/api/defined';
import { JobState, type JobView, type NewJobInput } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { hasEnded } from '@skein/api/job-states';
import { formatAge } from '@skein/api/units';
import { defineCommand } from '../../command-line/command.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { jobsCommand, withJobs } from '../../jobs/embedded.ts';
import { followJob, rawOption } from '../../jobs/follow.ts';
import {
  argument,
  choice,
  duration,
  flag,
  integer,
  manyArguments,
  text,
  withDefault,
} from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import { endText, renderJob, stateText, tookText } from '../../output/job.ts';
import { noteNext } from '../../output/notes.ts';
import { cutTo } from '../../output/style.ts';
import { renderTable } from '../../output/table.ts';

export const jobsLs = jobsCommand({
  name: 'jobs ls',
  summary: 'List jobs, newest first.',
  examples: {
    'skein jobs ls --state dead': 'The dead letters',
    'skein jobs ls --queue nightly --limit 20': 'One queue',
  },
  options: {
    state: choice(JobState.options, 'List only jobs in this state.'),
    queue: text('NAME', 'List only this queue.'),
    group: text('ID', 'List only this pipeline run or submission.'),
    tenant: text('NAME', 'List only this tenant.'),
    limit: withDefault(integer('N', 'Jobs to list.', [1, 1000]), '50'),
    after: text('CURSOR', 'Cursor of the next page, as the last page gave it.'),
  },
  run: ({ client }, asked) => client.listJobs(asked),
  render({ jobs, next }, style) {
    if (jobs.length === 0) {
      return `There are no such jobs. Try ${style.cyan(style.commands('skein run -- echo hello'))}.`;
    }
    const now = Date.now();
    const table = renderTable(style, jobs, [
      ['ID', ({ id }) => id],
      ['STATE', ({ state }) => stateText(state, style)],
      ['QUEUE', ({ queue }) => queue],
      ['TRIES', ({ attempts }) => String(attempts.length), 'right'],
      ['TOOK', (job) => tookText(job, now), 'right'],
      ['ENQUEUED', ({ enqueuedAt }) => formatAge(enqueuedAt, now)],
      ['NAME', ({ name }) => cutTo(name, 40)],
      ['NOTE', ({ cause, message }) => (cause === undefined ? '' : `${cause}: ${message ?? ''}`)],
    ]);
    return next === undefined ? table : `${table}\n${style.dim(`More: --after ${next}`)}`;
  },
});

export const jobsShow = jobsCommand({
  name: 'jobs show',
  summary: 'Show one job with its attempts, usage and outputs.',
  examples: { 'skein jobs show ID --json': 'All of it' },
  arguments: { id: argument('ID', 'The job.') },
  run: ({ client }, { id }) => client.getJob({ id }),
  render: renderJob,
});

const YEAR_MS = 366 * 86_400_000;
const PIECE_BYTES = 1024 * 1024;

export const jobsLogs = defineCommand({
  name: 'jobs logs',
  summary: 'Print the output of a job: stdout and stderr.',
  examples: {
    'skein jobs logs -f ID': 'Follow it to its end',
    'skein jobs logs ID --attempt 1': 'An earlier attempt',
  },
  arguments: { id: argument('ID', 'The job.') },
  options: {
    follow: flag('Follow until the job has ended; exits 1 when it fails.', { short: 'f' }),
    attempt: integer('N', 'Number of the attempt; default: the last.', [1, 1000]),
    raw: rawOption,
    ...connectionOptions,
  },
  async run(context, { id, follow, attempt, raw, ...choice }) {
    const output = raw ? 'raw' : 'own';
    if (follow) {
      // Following a job runs it: without a node, this process does, which has to work on its queue.
      const followOn = (queue: string) =>
        withJobs(context, { ...choice, queues: [queue] }, async (client) => {
          const found = await client.getJob({ id });
          if (found.queue !== queue && !hasEnded(found.state)) return found.queue;
          return followJob(context, client, id, output);
        });
      let job: JobView | string = 'default';
      while (typeof job === 'string') job = await followOn(job);
      return { job };
    }
    return withJobs(context, choice, async (client) => {
      let text = '';
      for (let offset = 0; ;) {
        const piece = await client.readJobLog({
          id,
          offset,
          maxBytes: PIECE_BYTES,
          attempt,
        });
        if (context.json) text += piece.text;
        else context.print(piece.text, output);
        if (piece.next === offset || piece.next >= piece.sizeBytes) return { text };
        offset = piece.next;
      }
    });
  },
  render: (found, style) => ('job' in found ? endText(found.job, style) : ''),
  exitCode: (found) => (!('job' in found) || found.job.state === 'succeeded' ? 0 : 1),
});

export const jobsCancel = jobsCommand({
  name: 'jobs cancel',
  summary: 'Cancel jobs; a running attempt ends within a second.',
  examples: { 'skein jobs cancel ID': 'Wherever it runs' },
  arguments: {
    ids: manyArguments('ID…', 'The jobs.', { required: true, completes: 'nothing' }),
  },
  options: {
    reason: withDefault(text('TEXT', 'Reason for the record. '), 'cancelled by hand'),
  },
  async run({ client }, { ids, reason }) {
    const jobs: JobView[] = [];
    for (const id of ids) jobs.push(await client.cancelJob({ id, reason }));
    return { jobs };
  },
  render: ({ jobs }, style) =>
    jobs.map((job) => `${job.id} ${stateText(job.state, style)}`).join('\n'),
});

export const jobsRm = jobsCommand({
  name: 'jobs rm',
  summary: 'Remove ended jobs with their logs before their retention ends.',
  details:
    'The steps of a run stay until the run has ended. Artifacts that no other job or schedule names are removed within a day. The entries of these jobs in the step cache are removed too.',
  examples: {
    'skein jobs rm ID': 'One job',
    'skein jobs rm --older-than 1d': 'All that ended more than a day ago',
  },
  arguments: { ids: manyArguments('ID…', 'The jobs.', { completes: 'nothing' }) },
  options: {
    olderThan: duration(
      'Remove all jobs that ended longer ago than this, instead of naming jobs.',
      [0, YEAR_MS],
    ),
    queue: text('NAME', 'Queue of the jobs to remove, with --older-than.'),
  },
  async run({ client }, { ids, olderThan, queue }) {
    if ((olderThan === undefined) === (ids.length === 0)) {
      throw usageError('Give either jobs or --older-than TIME.');
    }
    if (olderThan === undefined) {
      if (queue !== undefined) throw usageError('--queue goes with --older-than TIME.');
      for (const id of ids) await client.removeJob({ id });
      return { removed: ids };
    }
    const removed: string[] = [];
    const until = new Date(Date.now() - olderThan).toISOString();
    for (let after: string | undefined; ;) {
      const page = await client.listJobs(defined({ queue, after, limit: 1000 }));
      const old = page.jobs.filter(({ endedAt }) => endedAt !== undefined && endedAt < until);
      for (const { id } of old) {
        try {
          await client.removeJob({ id });
          removed.push(id);
        } catch (error) {
          // A step of an unfinished run, or gone meanwhile.
          if (!(error instanceof SkeinError) || !error.code.startsWith('JOB_')) throw error;
        }
      }
      if (page.next === undefined) break;
      after = page.next;
    }
    return { removed };
  },
  render: ({ removed }) =>
    removed.length === 0
      ? 'No job ended so long ago.'
      : `${removed.length} ${removed.length === 1 ? 'job is' : 'jobs are'} removed.`,
});

export const jobsRetry = jobsCommand({
  name: 'jobs retry',
  summary: 'Enqueue the same work again as a new job, whatever the state of the first.',
  details:
    'The new job waits for no parents, and has as much time to finish as the first one. For a member of a gang, use skein jobs revive: it restores the job itself, with the children it failed.',
  examples: { 'skein jobs retry ID': 'The new job’s id is printed' },
  arguments: { id: argument('ID', 'The job.') },
  async run({ client, submit }, { id }, { notes }) {
    const job = await submit(sameWorkAs(await client.getJob({ id })));
    noteNext(notes, `Follow it: skein jobs logs -f ${job.id}`);
    return job;
  },
  render: ({ id }) => id,
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
  const { group, deadline, enqueuedAt } = job;
  const finishWithinMs =
    deadline === undefined ? undefined : Math.max(1, Date.parse(deadline) - Date.parse(enqueuedAt));
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
    ...defined({ group, finishWithinMs }),
  };
}

export const jobsPreempt = jobsCommand({
  name: 'jobs preempt',
  summary: 'Let a running attempt save its checkpoint and stop; the job goes back to its queue.',
  details:
    'The command receives SIGTERM, and SIGKILL after the grace period of its worker. This costs no attempt. Pause the queue first, or the job may start again at once. A job that is not running is left as it is.',
  examples: { 'skein jobs preempt ID': 'It resumes later from its checkpoint' },
  arguments: { id: argument('ID', 'The job.') },
  run: ({ client }, { id }) => client.preemptJob({ id }),
  render: ({ id, state }, style) =>
    state === 'running'
      ? `${id} is asked to save and stop`
      : `${id} is ${stateText(state, style)}: there is nothing to stop`,
});

export const jobsRevive = jobsCommand({
  name: 'jobs revive',
  summary: 'Queue a failed, dead or cancelled job again, with the children that it failed.',
  examples: { 'skein jobs revive ID': 'After its cause is fixed' },
  arguments: { id: argument('ID', 'The job.') },
  run: ({ client }, { id }) => client.reviveJob({ id }),
  render: (job, style) => `${job.id} is ${stateText(job.state, style)} again`,
});
