/** `skein run -- COMMAND`: durable, isolated work with accounted limits. */
import type { JobView } from '@skein/api';
import { defineCommand } from '../../command-line/command.ts';
import { connectionOptions } from '../../connection/connection.ts';
import { commandJob, commandOptions, preparedCommand } from '../../jobs/command-job.ts';
import { withJobs } from '../../jobs/embedded.ts';
import { followJob, rawOption } from '../../jobs/follow.ts';
import { downloadOutputs } from '../../jobs/outputs.ts';
import { flag, many, restArgument } from '../../command-line/option.ts';
import { endText } from '../../output/job.ts';
import { noteNext } from '../../output/notes.ts';
import { nameText } from '../../output/terminal.ts';

export interface RunOutcome {
  readonly job: JobView;
  /** Whether the job was left to the node. */
  readonly detached: boolean;
  /** Files that were downloaded. */
  readonly fetched: readonly string[];
}

export const run = defineCommand({
  name: 'run',
  summary: 'Run a command in isolation, with its limits enforced and its usage accounted.',
  details:
    'The files that the command line names are uploaded; --input adds files, --output names the results to download. The job survives the death of any process: a lost worker costs another attempt, a command that fails is tried again only with --attempts. Ctrl-C cancels it; --detach leaves it to the node. Without a running node, one is started for this job. Exits 1 when the job does not succeed.',
  examples: {
    'skein run -- python3 clean.py data.csv': 'The files come along',
    'skein run --output clean.csv --memory 1GiB --cpu-time 60s -- python3 clean.py':
      'Bring a file back, under limits',
    'skein run --venv .venv -- python clean.py data.csv':
      'With the packages of a Python environment',
    'skein run --detach --queue nightly -- ./report': 'Leave it to the node',
  },
  arguments: { command: restArgument('COMMAND…', 'The program and its arguments.') },
  options: {
    ...commandOptions,
    after: many('JOB', 'Start when this job has succeeded.'),
    detach: flag('Print the id and leave.'),
    raw: rawOption,
    ...connectionOptions,
  },
  async run(context, { command, ...options }): Promise<RunOutcome> {
    const prepared = await preparedCommand(context, command, options);
    return withJobs(
      context,
      { ...options, mayStart: !options.detach, queues: [options.queue] },
      async (client, submit) => {
        const job = await commandJob(context, client, prepared, options);
        const accepted = await submit({ ...job, parents: [...options.after] });
        if (options.detach) {
          // With a kept result, or a parent that has failed, it ends as it is accepted.
          if (accepted.endedAt !== undefined) {
            context.notes.line(endText(accepted, context.notes.style));
          }
          noteNext(context.notes, `Follow it: skein jobs logs -f ${accepted.id}`);
          return { job: accepted, detached: true, fetched: [] };
        }
        const output = options.raw ? 'raw' : 'own';
        const ended = await followJob(context, client, accepted.id, output);
        const outputs = ended.result?.outputs ?? [];
        const fetched = await downloadOutputs(context, client, outputs, context.cwd);
        return { job: ended, detached: false, fetched };
      },
    );
  },
  render: ({ job, detached, fetched }, style) =>
    detached
      ? job.id
      : [
          endText(job, style),
          ...fetched.map((file) => style.dim(`  wrote ${nameText(file)}`)),
        ].join('\n'),
  exitCode: ({ job }) => (job.endedAt === undefined || job.state === 'succeeded' ? 0 : 1),
});
