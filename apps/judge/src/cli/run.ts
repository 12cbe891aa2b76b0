/**
 * The `skein-judge` command: `verify` checks packages, `judge` judges one submission, `languages` says
 * what can be judged here; `serve` is the judge as a service, `worker` judges for a fleet of them, and
 * `users` gives out its keys.
 *
 * Exit codes: 0 all is well; 1 something is not as it must be; 2 nothing could be judged, because the
 * package, the command line or the sandbox is not in order.
 */
import { parseArgs } from 'node:util';
import { SkeinError } from '@skein/api';
import { safeText } from '@skein/api/safe-text';
import { JUDGE_DRIVERS } from '../judging/drivers.ts';
import { runJudge } from './judge-command.ts';
import { runLanguages } from './languages-command.ts';
import { runVerify } from './verify-command.ts';

export interface Terminal {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly signal: AbortSignal;
}

export interface CommandOptions {
  readonly json: boolean;
  readonly driver: string | undefined;
  readonly image: string | undefined;
  readonly language: string | undefined;
  readonly problems: string | undefined;
  readonly data: string | undefined;
  readonly redis: string | undefined;
  readonly blobs: string | undefined;
  readonly namespace: string | undefined;
  readonly host: string | undefined;
  readonly port: string | undefined;
  readonly workers: string | undefined;
  readonly rate: string | undefined;
  readonly start: string | undefined;
  readonly name: string | undefined;
  readonly lease: string | undefined;
  readonly grace: string | undefined;
  readonly log: string | undefined;
  readonly admin: boolean;
}

type Command = (
  operands: readonly string[],
  options: CommandOptions,
  terminal: Terminal,
) => Promise<number>;

const COMMANDS: Readonly<Record<string, Command>> = {
  verify: runVerify,
  judge: runJudge,
  languages: runLanguages,
  // Loaded when they are used: they bring the job plane.
  serve: async (...given) => (await import('./serve-command.ts')).runServe(...given),
  worker: async (...given) => (await import('./worker-command.ts')).runWorker(...given),
  users: async (...given) => (await import('./users-command.ts')).runUsers(...given),
};

/** Every option that has no default, as it is when it was not given. */
const NONE = {
  driver: undefined,
  image: undefined,
  language: undefined,
  problems: undefined,
  data: undefined,
  redis: undefined,
  blobs: undefined,
  namespace: undefined,
  host: undefined,
  port: undefined,
  workers: undefined,
  rate: undefined,
  start: undefined,
  name: undefined,
  lease: undefined,
  grace: undefined,
  log: undefined,
};

const USAGE = `Usage: skein-judge COMMAND [OPTIONS]

  verify PACKAGE...         check problem packages (folders, .zip or .kpp) against their own examples
  judge PACKAGE FILE...     judge one submission
  languages                 the languages, and which of them can be judged here
  serve                     the judge as a service, with its page and its API
  worker                    judge for a fleet, on this machine
  users ls                  who may hand in
  users add NAME            a user and a key, with --admin an admin
  users key NAME            another key
  users revoke KEY-ID       end a key

Options:
  --json                    one JSON object per event, the report last
  --driver NAME             ${JUDGE_DRIVERS.join(' or ')}; default: the first that works here
  --image IMAGE             root file system of the sandbox
  --language CODE           of the submission; default: by its files
  -h, --help                this text

Options of serve, worker and users:
  --problems FOLDER         packages to serve; default: problems, or else the examples
  --data FOLDER             what the judge keeps; default: .skein-judge
  --redis URL --blobs PLACE join a fleet: its jobs, and its bucket (s3://…) or shared folder
  --namespace NAME          of the jobs in the Redis
  --host ADDRESS, --port N  default: 127.0.0.1, 4710
  --workers N               submissions judged here at once, or none; default: cores less one
  --rate N                  submissions of a user per minute; default: 10
  --start INSTANT           when penalties begin; default: the first submission
  --name NAME               of a worker, in lists
  --lease S, --grace S      of a worker: seconds until its jobs go to others, and for what runs to end
  --log pretty|json|off     default: pretty on a terminal

Exit codes: 0 all is well; 1 something is not as it must be; 2 nothing could be judged.
`;

export async function runCommandLine(
  args: readonly string[],
  given: Terminal,
  commands: Readonly<Record<string, Command>> = COMMANDS,
): Promise<number> {
  const terminal = harmless(given);
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        driver: { type: 'string' },
        image: { type: 'string' },
        language: { type: 'string' },
        problems: { type: 'string' },
        data: { type: 'string' },
        redis: { type: 'string' },
        blobs: { type: 'string' },
        namespace: { type: 'string' },
        host: { type: 'string' },
        port: { type: 'string' },
        workers: { type: 'string' },
        rate: { type: 'string' },
        start: { type: 'string' },
        name: { type: 'string' },
        lease: { type: 'string' },
        grace: { type: 'string' },
        log: { type: 'string' },
        admin: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const [name, ...operands] = positionals;
    const command = name === undefined ? undefined : commands[name];
    if (values.help) {
      terminal.stdout.write(USAGE);
      return 0;
    }
    if (command === undefined) {
      terminal.stderr.write(name === undefined ? USAGE : `error: no command ${name}\n\n${USAGE}`);
      return 2;
    }
    const { help: _, ...options } = values;
    return await command(operands, { ...NONE, ...options }, terminal);
  } catch (error) {
    if (terminal.signal.aborted) {
      terminal.stderr.write('interrupted\n');
      return 130;
    }
    terminal.stderr.write(describe(error));
    return 2;
  }
}

/** What submissions and packages say reaches a terminal as text only; a file gets it as it came. */
function harmless({ stdout, stderr, signal }: Terminal): Terminal {
  return { stdout: written(stdout), stderr: written(stderr), signal };
}

function written(stream: Terminal['stdout']): Terminal['stdout'] {
  if (stream.isTTY !== true) return stream;
  return { isTTY: true, write: (text) => stream.write(safeText(text)) };
}

function describe(error: unknown): string {
  if (error instanceof SkeinError) {
    const fix = error.code === 'USAGE' ? '`skein-judge --help` shows the usage.' : error.row.fix;
    return `error: ${error.message} [${error.code}]\n  fix: ${fix}\n`;
  }
  // parseArgs explains itself.
  return `error: ${error instanceof Error ? error.message : String(error)}\n`;
}
