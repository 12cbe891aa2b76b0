/**
 * The `skein-judge` command: `verify` checks packages, `judge` judges one submission, `languages` lists
 * what can be judged here; `serve` is the judge as a service, `worker` judges for a fleet of them, and
 * `users` gives out its keys.
 *
 * Exit codes: 0 all is well; 1 something is not as it must be; 2 nothing could be judged, because the
 * package, the command line or the sandbox is not in order.
 */
import { SkeinError } from '@skein/api';
import { safeText } from '@skein/api/safe-text';
import {
  didYouMean,
  manyArguments,
  optionRows,
  parseArguments,
  PLAIN,
  section,
} from '@skein/cli/command-line';
import { FIXES } from '../fixes.ts';
import { runJudge } from './judge-command.ts';
import { runLanguages } from './languages-command.ts';
import { JUDGE_OPTIONS, SERVICE_OPTIONS, type Terminal, type Command } from './options.ts';
import { runVerify } from './verify-command.ts';

const COMMANDS: Readonly<Record<string, Command>> = {
  verify: runVerify,
  judge: runJudge,
  languages: runLanguages,
  // Loaded when they are used: they bring the job plane.
  serve: async (...given) => (await import('./serve-command.ts')).runServe(...given),
  worker: async (...given) => (await import('./worker-command.ts')).runWorker(...given),
  users: async (...given) => (await import('./users-command.ts')).runUsers(...given),
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

${section('Options', optionRows(JUDGE_OPTIONS), PLAIN)}
  -h, --help                  This text.

${section('Options of serve, worker and users', optionRows(SERVICE_OPTIONS), PLAIN)}

Exit codes: 0 all is well; 1 something is not as it must be; 2 nothing could be judged.
`;

export async function runCommandLine(
  args: readonly string[],
  given: Terminal,
  commands: Readonly<Record<string, Command>> = COMMANDS,
): Promise<number> {
  const terminal = harmless(given);
  try {
    const parsed = parseArguments(args, {
      arguments: { words: manyArguments('WORD…', 'The command, and what it works on.') },
      options: { ...JUDGE_OPTIONS, ...SERVICE_OPTIONS },
    });
    if (parsed.help) {
      terminal.stdout.write(USAGE);
      return 0;
    }
    const { words, ...options } = parsed.values;
    const [name, ...operands] = words;
    const command = name === undefined ? undefined : commands[name];
    if (command === undefined) {
      const unknown = `error: There is no command "${name}".${didYouMean(name ?? '', Object.keys(commands))}\n\n`;
      terminal.stderr.write(name === undefined ? USAGE : `${unknown}${USAGE}`);
      return 2;
    }
    return await command(operands, options, terminal);
  } catch (error) {
    if (terminal.signal.aborted) {
      terminal.stderr.write('interrupted\n');
      return 130;
    }
    terminal.stderr.write(describe(error));
    return 2;
  }
}

/** Output of submissions and packages reaches a terminal as text only; a file gets it as it came. */
function harmless({ stdout, stderr, signal }: Terminal): Terminal {
  return { stdout: written(stdout), stderr: written(stderr), signal };
}

function written(stream: Terminal['stdout']): Terminal['stdout'] {
  if (stream.isTTY !== true) return stream;
  return { isTTY: true, write: (text) => stream.write(safeText(text)) };
}

function describe(error: unknown): string {
  if (error instanceof SkeinError) {
    return `error: ${error.message} [${error.code}]\n  fix: ${FIXES[error.code] ?? error.row.fix}\n`;
  }
  return `error: ${error instanceof Error ? error.message : String(error)}\n`;
}
