/** `skein queue schedule`: jobs that are enqueued at given times. */
import type { NewJobInput } from '@skein/api';
import { defineCommand } from '../../command-line/command.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { givenJson } from '../../file.ts';
import { commandJob, commandOptions, preparedCommand } from '../../jobs/command-job.ts';
import { jobsCommand, withJobs } from '../../jobs/embedded.ts';
import { argument, flag, optionalRest, text, withDefault } from '../../command-line/option.ts';
import { renderTable } from '../../output/table.ts';
import { usageError } from '../../command-line/usage.ts';

export const queueScheduleLs = jobsCommand({
  name: 'queue schedule ls',
  summary: 'List the schedules, and when each enqueues its next job.',
  examples: { 'skein queue schedule ls': 'All schedules' },
  run: ({ client }) => client.listSchedules(),
  render({ schedules }, style) {
    if (schedules.length === 0) {
      return `There are no schedules. Try ${style.cyan(style.commands("skein queue schedule put nightly --cron '0 3 * * *' -- date"))}.`;
    }
    return renderTable(style, schedules, [
      ['SCHEDULE', ({ id }) => style.bold(id)],
      ['CRON', ({ cron }) => cron],
      ['TIME ZONE', ({ timeZone }) => timeZone],
      ['NEXT', ({ paused, nextAt }) => (paused ? style.yellow('paused') : nextAt)],
      ['QUEUE', ({ queue }) => queue],
      ['JOB', ({ name }) => name.slice(0, 40)],
    ]);
  },
});

export const queueSchedulePut = defineCommand({
  name: 'queue schedule put',
  summary: 'Enqueue a job on a schedule; replaces the schedule of this name.',
  details:
    'The job is a command with the options of skein run, or any job as JSON. Its files are stored now, and are the same each time. If no node ran at several times of the schedule, one job is enqueued for all of them.',
  examples: {
    "skein queue schedule put nightly --cron '0 3 * * *' --time-zone Europe/Berlin -- python3 clean.py data.csv":
      'At three in the morning, in Berlin',
    "skein queue schedule put nightly --cron '0 3 * * *' --job @job.json":
      'Any kind of job, as the API takes it',
  },
  arguments: {
    schedule: argument('NAME', 'The schedule.'),
    command: optionalRest('COMMAND…', 'The program and its arguments.'),
  },
  options: {
    cron: text('CRON', "Minute, hour, day, month and day of the week, such as '0 3 * * 1-5'."),
    timeZone: withDefault(text('ZONE', 'IANA name, such as Europe/Berlin.'), 'UTC'),
    paused: flag('Keep the schedule, but enqueue nothing until it is put again without this.'),
    job: text('JSON', 'Job, or @FILE.json, instead of a command.'),
    ...commandOptions,
    ...connectionOptions,
  },
  async run(context, { schedule, command, ...options }) {
    const { cron, timeZone, paused, job } = options;
    if (cron === undefined) throw usageError('--cron CRON is missing: when to enqueue the job.');
    if ((job === undefined) === (command === undefined)) {
      throw usageError('Give either a command or --job JSON.');
    }
    // The node validates what the job is.
    const given =
      job === undefined ? undefined : ((await givenJson(context.cwd, job, '--job')) as NewJobInput);
    const prepared =
      command === undefined ? undefined : await preparedCommand(context, command, options);
    return withJobs(context, options, async (client) =>
      client.putSchedule({
        schedule,
        cron,
        timeZone,
        paused,
        job: given ?? (await commandJob(context, client, prepared!, options)),
      }),
    );
  },
  render: ({ id, paused, nextAt, name }, style) =>
    `${style.bold(id)} enqueues ${name} ${paused ? `once it is not ${style.yellow('paused')}` : `next at ${nextAt}`}`,
});

export const queueScheduleRm = jobsCommand({
  name: 'queue schedule rm',
  summary: 'Remove a schedule; jobs that it has enqueued stay.',
  examples: { 'skein queue schedule rm nightly': 'It enqueues no more jobs' },
  arguments: { schedule: argument('NAME', 'The schedule.') },
  async run({ client }, { schedule }) {
    await client.removeSchedule({ schedule });
    return { schedule };
  },
  render: ({ schedule }, style) => `${style.bold(schedule)} is removed`,
});
