/** `skein run -- COMMAND`: durable, isolated work with accounted limits. */
import type { JobView, NewJobInput } from '@skein/api';
import type { Client } from '@skein/api/client';
import { SkeinError } from '@skein/api/errors';
import { defineCommand } from '../command.ts';
import { connectionOptions } from '../connection.ts';
import { connectOrStart } from '../jobs/embedded.ts';
import { followJob } from '../jobs/follow.ts';
import { findInputs, uploadInputs } from '../jobs/inputs.ts';
import { downloadOutputs } from '../jobs/outputs.ts';
import {
  bytes,
  choice,
  decimal,
  duration,
  flag,
  integer,
  many,
  restArgument,
  text,
  withDefault,
} from '../option.ts';
import { endText } from '../output/job.ts';
import { usageError } from '../usage.ts';

/** Workers that may be lost under a command that is not to be tried again. */
const LOST_WORKERS = 3;

export interface RunOutcome {
  readonly job: JobView;
  /** Files that were brought back. */
  readonly fetched: readonly string[];
}

export const run = defineCommand({
  name: 'run',
  summary: 'Run a command in isolation, with its limits enforced and its usage accounted.',
  details:
    'The files that the command line names are taken along; --input adds others, --output says what to bring back. The job survives the death of any process: a lost worker costs another attempt, a command that fails is tried again only with --attempts. Ctrl-C cancels it; --detach leaves it to the node. Without a running node, one is started for this job. Exits 1 when the job does not succeed.',
  examples: [
    { command: 'skein run -- python3 clean.py data.csv', does: 'The files come along' },
    {
      command: 'skein run --output clean.csv --memory 1GiB --cpu-time 60s -- python3 clean.py',
      does: 'Bring a file back, under limits',
    },
    { command: 'skein run --detach --queue nightly -- ./report', does: 'Leave it to the node' },
  ],
  arguments: { command: restArgument('COMMAND…', 'The program and its arguments.') },
  options: {
    input: many('PATH', 'File or folder to take along.', { completes: 'file' }),
    output: many('PATH', 'File or folder to bring back when the command succeeds.'),
    noGuess: flag('Take only the files of --input along.'),
    name: text('TEXT', 'What the job is called in lists.'),
    queue: withDefault(text('NAME', 'Queue.'), 'default'),
    priority: withDefault(integer('N', 'Higher starts first.', { min: -1000, max: 1000 }), '0'),
    env: many('NAME=VALUE', 'Environment of the command.'),
    cores: withDefault(decimal('N', 'Cores.', { min: 0.01, max: 4096 }), '1'),
    memory: withDefault(bytes('Memory of all processes together.'), '512MiB'),
    cpuTime: duration('Time on the processor, of all processes.', { min: 1, max: 3.15e11 }),
    timeout: duration('Time on the clock.', { min: 1, max: 3.15e11 }),
    pids: integer('N', 'Processes and threads at once.', { min: 1, max: 1_000_000 }),
    disk: bytes('What it may write.'),
    maxOutput: bytes('What it may print.'),
    network: withDefault(choice(['none', 'host'], 'host needs --trusted.'), 'none'),
    sandbox: choice(['docker', 'bubblewrap', 'process'], 'Default: the best that the worker has.'),
    image: text('IMAGE', 'Root file system of the sandbox.'),
    trusted: flag('The command may run without isolation.'),
    attempts: integer('N', 'Try again when the command fails, up to N attempts in all.', {
      min: 1,
      max: 1000,
    }),
    after: many('JOB', 'Start when this job has succeeded.'),
    require: many('LABEL', 'Label that the worker must have.'),
    checkpoint: text('PATH', 'Path that is kept when the job is preempted, and put back.'),
    cache: flag('Take the kept result of the same command over the same inputs.'),
    detach: flag('Print the id and leave.'),
    ...connectionOptions,
  },
  async run(context, { command, ...options }): Promise<RunOutcome> {
    const files = await findInputs(
      context.cwd,
      options.input,
      command,
      !options.noGuess && { without: options.output },
    );
    const connection = await connectOrStart(context, options, !options.detach);
    let running: JobView | undefined;
    context.onInterrupt(async () => {
      // What runs for nobody should not run on.
      if (running !== undefined && !options.detach) {
        const reason = 'interrupted by the one who started it';
        await connection.client.cancelJob({ id: running.id, reason });
      }
      await connection.close();
    });
    try {
      const { client } = connection;
      const inputs = await uploadInputs(context, client, files);
      running = await enqueue(client, {
        queue: options.queue,
        priority: options.priority,
        ...(options.name === undefined ? {} : { name: options.name }),
        work: {
          kind: 'command',
          argv: [...command],
          env: environmentOf(options.env),
          inputs: [...inputs],
          outputs: options.output.map((path) => ({ path })),
          trusted: options.trusted,
          retryFailure: options.attempts !== undefined,
          network: options.network,
          ...(options.sandbox === undefined ? {} : { sandbox: options.sandbox }),
          ...(options.image === undefined ? {} : { image: options.image }),
          ...(options.checkpoint === undefined ? {} : { checkpoint: options.checkpoint }),
          limits: limitsOf(options),
        },
        resources: { cores: options.cores, memoryBytes: options.memory },
        requires: [...options.require],
        parents: [...options.after],
        retry: {
          maxAttempts: options.attempts ?? LOST_WORKERS,
          backoffMs: 1000,
          maxBackoffMs: 300_000,
        },
        cache: options.cache,
      });
      if (options.detach) return { job: running, fetched: [] };
      const job = await followJob(context, client, running.id);
      const outputs = job.result?.outputs ?? [];
      return { job, fetched: await downloadOutputs(context, client, outputs, context.cwd) };
    } finally {
      await connection.close();
    }
  },
  render: ({ job, fetched }, style) =>
    job.endedAt === undefined
      ? `${job.id}\n${style.dim(`Follow it: skein jobs logs -f ${job.id}`)}`
      : [endText(job, style), ...fetched.map((file) => style.dim(`  wrote ${file}`))].join('\n'),
  exitCode: ({ job }) => (job.endedAt === undefined || job.state === 'succeeded' ? 0 : 1),
});

async function enqueue(client: Client, job: NewJobInput): Promise<JobView> {
  const [accepted] = (await client.enqueueJobs({ jobs: [job] })).jobs;
  if (accepted === undefined) throw new SkeinError('INTERNAL', 'The node accepted no job.');
  return accepted;
}

function environmentOf(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((entry) => {
      const equals = entry.indexOf('=');
      if (equals < 1) throw usageError(`--env: "${entry}" is not NAME=VALUE.`);
      return [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

function limitsOf(given: {
  readonly cpuTime: number | undefined;
  readonly timeout: number | undefined;
  readonly pids: number | undefined;
  readonly disk: number | undefined;
  readonly maxOutput: number | undefined;
}) {
  return {
    ...(given.cpuTime === undefined ? {} : { cpuMs: given.cpuTime }),
    ...(given.timeout === undefined ? {} : { wallMs: given.timeout }),
    ...(given.pids === undefined ? {} : { pids: given.pids }),
    ...(given.disk === undefined ? {} : { diskBytes: given.disk }),
    ...(given.maxOutput === undefined ? {} : { outputBytes: given.maxOutput }),
  };
}
