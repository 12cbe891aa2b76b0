/** The job of a command, from its options: shared by `skein run` and schedules. */
import { posix } from 'node:path';
import { defined } from '@skein/api/defined';
import type { NewJobInput } from '@skein/api';
import type { Client } from '@skein/api/client';
import { SANDBOX_NAMES } from '@skein/api/implementations';
import type { Context, OptionValues } from '../command-line/command.ts';
import {
  bytes,
  choice,
  decimal,
  duration,
  flag,
  integer,
  many,
  text,
  value,
  withDefault,
} from '../command-line/option.ts';
import { pairsOf, usageError } from '../command-line/usage.ts';
import { isOutside } from '../file.ts';
import { findInputs, uploadInputs } from './inputs.ts';
import { omittedEnvironment, packed, withEnvironment } from './python-environment.ts';

/** Attempts after lost workers of a command that must not be retried after a failure. */
const LOST_WORKERS = 3;

export const commandOptions = {
  input: many('PATH', 'File or folder to upload.', { completes: 'file' }),
  output: {
    ...many('PATH', 'File or folder to download when the command succeeds.'),
    parse: (texts: readonly string[]) => texts.map(readWorkspacePath),
  },
  venv: text(
    'FOLDER',
    'Python virtual environment: its packages are uploaded; the python program is the sandbox’s own.',
    { completes: 'file' },
  ),
  noGuess: flag('Upload only the files of --input.'),
  name: text('TEXT', 'Name of the job in lists.'),
  queue: withDefault(text('NAME', 'Queue.'), 'default'),
  priority: withDefault(integer('N', 'Priority; higher starts first.', [-1000, 1000]), '0'),
  env: many('NAME=VALUE', 'Environment of the command.'),
  cores: withDefault(decimal('N', 'Cores.', [0.01, 4096]), '1'),
  memory: withDefault(bytes('Memory of all processes together.'), '512MiB'),
  cpuTime: duration('Time on the processor, of all processes.', [1, 3.15e11]),
  timeout: duration('Time on the clock.', [1, 3.15e11]),
  pids: integer('N', 'Processes and threads at once.', [1, 1_000_000]),
  disk: bytes('Most bytes that it may write.'),
  maxOutput: bytes('Most bytes that it may print.'),
  network: withDefault(choice(['none', 'host'], 'Network access; host needs --trusted.'), 'none'),
  allow: many('HOST:PORT', 'Let it reach this address, and no other, through a proxy.'),
  sandbox: choice(SANDBOX_NAMES, 'Sandbox; default: the best that the worker has.'),
  image: text('IMAGE', 'Name of a registered image, its root file system; a path needs trust.'),
  trusted: flag('Allow the command to run without isolation.'),
  attempts: integer('N', 'Try again when the command fails, up to N attempts in all.', [1, 1000]),
  require: many('LABEL', 'Label that the worker must have.'),
  checkpoint: value(
    'PATH',
    'Path to save when the job is preempted or prints ::checkpoint; its next attempt begins with it.',
    readWorkspacePath,
  ),
  cache: flag('Reuse the kept result of the same command over the same inputs.'),
};

type CommandOptions = OptionValues<typeof commandOptions>;

/** Finds what the command takes along, before any request is sent. */
export async function preparedCommand(
  context: Context,
  command: readonly string[],
  options: CommandOptions,
) {
  const { venv } = options;
  const plain = { argv: command, env: {}, files: [] };
  const { argv, env, files } =
    venv === undefined ? plain : await withEnvironment(context.cwd, venv, command);
  const omitted = venv === undefined && (await omittedEnvironment(context, command));
  if (omitted) context.notes.line(omitted);
  const guess = !options.noGuess && { without: options.output };
  // Programs of the environment are in its archive.
  const words = venv === undefined ? command : argv.filter((word) => !word.startsWith('.venv/'));
  const inputs = await findInputs(context, options.input, words, guess);
  return { argv, env, inputs, environment: files, title: command.join(' ').slice(0, 200) };
}

/** Uploads the files and makes the job; nothing is enqueued. */
export async function commandJob(
  context: Context,
  client: Client,
  { argv, env, inputs: files, environment, title }: Awaited<ReturnType<typeof preparedCommand>>,
  options: CommandOptions,
): Promise<NewJobInput> {
  const inputs = await packed(environment, (archives) =>
    uploadInputs(context, client, [...files, ...archives]),
  );
  const {
    name = environment.length === 0 ? undefined : title,
    sandbox,
    image,
    checkpoint,
  } = options;
  return {
    queue: options.queue,
    priority: options.priority,
    ...defined({ name }),
    work: {
      kind: 'command',
      argv: [...argv],
      env: { ...env, ...pairsOf('--env', 'NAME=VALUE', options.env) },
      inputs: [...inputs],
      outputs: options.output.map((path) => ({ path })),
      trusted: options.trusted,
      retryFailure: options.attempts !== undefined,
      network: networkOf(options),
      ...defined({ sandbox, image, checkpoint }),
      limits: defined({
        cpuMs: options.cpuTime,
        wallMs: options.timeout,
        pids: options.pids,
        diskBytes: options.disk,
        outputBytes: options.maxOutput,
      }),
    },
    resources: { cores: options.cores, memoryBytes: options.memory },
    requires: [...options.require],
    retry: {
      maxAttempts: options.attempts ?? LOST_WORKERS,
      backoffMs: 1000,
      maxBackoffMs: 300_000,
    },
    cache: options.cache,
  };
}

/** A path as people and shells write it, such as `./out/`. */
function readWorkspacePath(given: string): string {
  const path = posix.normalize(given).replace(/\/$/, '');
  if (path === '' || path === '.' || isOutside(path)) {
    throw new Error(`"${given}" is no path below the working directory of the command`);
  }
  return path;
}

function networkOf({ network, allow }: Pick<CommandOptions, 'network' | 'allow'>) {
  if (allow.length === 0) return network;
  if (network === 'host') throw usageError('--allow: with --network host everything is reached.');
  for (const entry of allow) {
    if (!/^[^\s:]+:\d{1,5}$/.test(entry)) {
      throw usageError(`--allow: "${entry}" is not HOST:PORT, such as pypi.org:443.`);
    }
  }
  return { allow: [...allow] };
}
