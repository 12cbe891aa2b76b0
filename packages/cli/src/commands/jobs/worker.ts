/** `skein worker`: runs jobs of a fleet on this machine, until Ctrl-C. */
import { resolve } from 'node:path';
import type { SandboxOffer, Worker } from '@skein/jobs';
import { startFleetWorker } from '@skein/server';
import { defineCommand, type Context } from '../../command-line/command.ts';
import {
  cacheOption,
  fleetPlace,
  orEnvironment,
  queuesIn,
} from '../../command-line/environment.ts';
import {
  bytes,
  choice,
  decimal,
  duration,
  flag,
  many,
  text,
  withDefault,
} from '../../command-line/option.ts';
import { untilAborted } from '@skein/api/waits';
import type { Style } from '../../output/style.ts';
import { resourcesText } from '../../output/job.ts';
import { renderFields } from '../../output/table.ts';
import { usageError } from '../../command-line/usage.ts';

export interface WorkerResult {
  readonly worker: string;
  readonly pid: number;
  readonly queues: readonly string[];
  readonly labels: readonly string[];
  readonly cores: number;
  readonly memoryBytes: number;
  /** Whether tasks, and commands without isolation, run here. */
  readonly trusts: boolean;
  readonly sandboxes: readonly SandboxOffer[];
}

const LABEL = /^[a-z0-9][a-z0-9._-]*(:[A-Za-z0-9._-]+)?$/;
const HOUR_MS = 3_600_000;

export const worker = defineCommand({
  name: 'worker',
  summary: 'Run jobs of a fleet on this machine; Ctrl-C drains and stops it.',
  details:
    'The jobs are in Redis; their inputs and outputs are in the bucket or folder that all nodes and workers share. The worker claims jobs that fit into its cores and memory and require only its labels; each command runs in the best sandbox of this machine for it. Credentials of a bucket come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a role of the machine. The first Ctrl-C drains: no new jobs are taken, and running ones may finish within --grace; then they save a checkpoint and return to the queue; a second one exits at once.',
  examples: {
    'skein worker --redis redis://10.0.0.5 --blobs s3://team/skein':
      'All cores, the queue "default"',
    'skein worker --redis redis://10.0.0.5 --blobs /mnt/skein --queues judge --untrusted-only':
      'Only what runs in isolation',
  },
  arguments: {},
  options: {
    redis: text('URL', 'Redis that holds the jobs; default: SKEIN_REDIS.'),
    blobs: text(
      'PLACE',
      'Bucket (s3://… or gs://…) or shared folder of artifacts; default: SKEIN_BLOBS.',
      {
        completes: 'folder',
      },
    ),
    cache: cacheOption,
    queues: withDefault(text('LIST', 'Queues to work on, with commas between them.'), 'default'),
    cores: decimal(
      'N',
      'Cores that jobs may use; default: what the machine, or its container, gives.',
      [0.1, 1024],
    ),
    memory: bytes('Memory that jobs may use; default: three quarters.'),
    label: many('NAME', 'Label that jobs may require, such as site:berlin.'),
    name: text('NAME', 'Name in lists; default: host, process and a random part.'),
    host: withDefault(
      text('ADDRESS', 'Address at which gang members on other machines reach this one.'),
      '127.0.0.1',
    ),
    untrustedOnly: flag('Run only commands in isolation: no tasks and no trusted work.'),
    tasks: many('FILE', 'Offer the tasks of this module as labels task:NAME.'),
    namespace: text('NAME', 'Namespace in Redis; jobs of other namespaces are not seen.'),
    lease: withDefault(
      duration('Time after which the jobs of a lost worker are given to other workers.', [
        1000,
        HOUR_MS,
      ]),
      '30s',
    ),
    grace: withDefault(
      duration('Time that work has to finish, and then to save a checkpoint.', [0, 24 * HOUR_MS]),
      '10s',
    ),
    log: choice(
      ['pretty', 'json', 'off'],
      'Form of the log; default: pretty on a terminal, else json.',
    ),
    logLevel: choice(['debug', 'info', 'warn', 'error'], 'Lowest level that is logged.'),
  },
  endsItself: true,
  async run(context, options): Promise<WorkerResult | undefined> {
    const trusts = !options.untrustedOnly;
    context.notes.progress('Looking at the sandboxes of this machine …');
    const asked = untilAborted(context.signal);
    const { redis, blobs } = fleetPlace(context, options);
    const starting = startFleetWorker({
      redis: required(redis, '--redis URL', 'SKEIN_REDIS'),
      blobs: required(blobs, '--blobs PLACE', 'SKEIN_BLOBS'),
      cacheBytes: orEnvironment(context, options.cache, 'SKEIN_CACHE', cacheOption),
      queues: queuesIn('--queues', options.queues),
      labels: options.label.map(readLabel),
      name: options.name,
      host: options.host,
      trusts,
      taskModules: options.tasks.map((path) => resolve(context.cwd, path)),
      namespace: options.namespace,
      leaseMs: options.lease,
      graceMs: options.grace,
      cores: options.cores,
      memoryBytes: options.memory,
      logFormat: options.log ?? (process.stderr.isTTY ? 'pretty' : 'json'),
      logLevel: options.logLevel,
    });
    const started = await Promise.race([starting, asked]);
    if (started === undefined) return undefined;
    context.stay(() => drainWhenAsked(context, started));
    return {
      worker: started.id,
      pid: process.pid,
      queues: started.queues,
      labels: started.labels,
      ...started.capacity,
      trusts,
      sandboxes: started.sandboxes,
    };
  },
  render: (result, style) => (result === undefined ? '' : renderWorker(result, style)),
});

function required(given: string | undefined, option: string, variable: string): string {
  if (given !== undefined) return given;
  throw usageError(`A worker needs ${option}, or ${variable} in its environment.`);
}

/** `site=berlin` and `site:berlin` are the same label. */
function readLabel(given: string): string {
  const label = given.replace('=', ':');
  if (!LABEL.test(label)) {
    throw usageError(`"${given}" is not a label: it should look like gpu or site:berlin.`);
  }
  return label;
}

async function drainWhenAsked(context: Context, started: Worker): Promise<void> {
  await untilAborted(context.signal);
  context.notes.line('Draining: what runs may finish. Ctrl-C again stops at once.');
  await started.drain();
}

function renderWorker(result: WorkerResult, style: Style): string {
  const { worker, queues, labels, cores, memoryBytes, trusts, sandboxes } = result;
  const fields = renderFields(style, [
    ['Queues', queues.join(', ')],
    ['Capacity', resourcesText({ cores, memoryBytes })],
    ['Labels', labels.length === 0 ? 'none' : labels.join(', ')],
    ['Trusted work', trusts ? 'yes: tasks, and commands without isolation' : 'no'],
  ]);
  const parts = [
    `${style.green('●')} ${style.bold(`Worker ${worker}`)} ${style.dim('is open')}`,
    fields.replaceAll(/^/gm, '  '),
    ['Sandboxes:', ...sandboxes.map((offer) => sandboxText(offer, style))].join('\n'),
    style.dim('Ctrl-C drains and stops.'),
  ];
  return `${parts.join('\n\n')}\n`;
}

function sandboxText({ name, availability }: SandboxOffer, style: Style): string {
  if (!availability.available) {
    return `  ${style.red('✗')} ${name}: ${sentence(availability.reason)} ${style.dim(availability.fix)}`;
  }
  const { limits, untrusted, network, accounting } = availability.enforcement;
  const held = Object.entries(limits).filter(([, { enforced }]) => enforced);
  const lines = [
    `  ${style.green('✓')} ${name} ${style.dim(availability.version.replace(`${name} `, ''))}: ${untrusted ? 'untrusted work' : 'trusted work only'}`,
    `      holds ${held.map(([limit]) => limit).join(', ')}${network.none ? ', no network' : ''}; accounting: ${accounting}`,
  ];
  for (const [limit, { enforced, by, fix }] of Object.entries(limits)) {
    if (!enforced)
      lines.push(
        style.dim(`      not ${limit}: ${sentence(by)}${fix === undefined ? '' : ` ${fix}`}`),
      );
  }
  return lines.join('\n');
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}
