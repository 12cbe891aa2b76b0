/**
 * The `skein-judge` command: `verify` checks packages, `judge` judges one submission, `languages` says
 * what can be judged here.
 *
 * Exit codes: 0 all is well; 1 something is not as it must be; 2 nothing could be judged, because the
 * package, the command line or the sandbox is not in order.
 */
import { parseArgs } from 'node:util';
import { SkeinError } from '@skein/api';
import { runJudge } from './judge-command.ts';
import { runLanguages } from './languages-command.ts';
import { runVerify } from './verify-command.ts';

export interface Terminal {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly signal: AbortSignal;
}

export interface CommandOptions {
  readonly json: boolean;
  readonly driver: string | undefined;
  readonly image: string | undefined;
  readonly language: string | undefined;
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
};

const USAGE = `Usage: skein-judge COMMAND [OPTIONS]

  verify PACKAGE...         check problem packages (folders, .zip or .kpp) against their own examples
  judge PACKAGE FILE...     judge one submission
  languages                 the languages, and which of them can be judged here

Options:
  --json                    one JSON object per event, the report last
  --driver NAME             bubblewrap or docker; default: the first that works here
  --image IMAGE             root file system of the sandbox
  --language CODE           of the submission; default: by its files
  -h, --help                this text

Exit codes: 0 all is well; 1 something is not as it must be; 2 nothing could be judged.
`;

export async function runCommandLine(
  args: readonly string[],
  terminal: Terminal,
  commands: Readonly<Record<string, Command>> = COMMANDS,
): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        driver: { type: 'string' },
        image: { type: 'string' },
        language: { type: 'string' },
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
    const { json, driver, image, language } = values;
    return await command(operands, { json, driver, image, language }, terminal);
  } catch (error) {
    if (terminal.signal.aborted) {
      terminal.stderr.write('interrupted\n');
      return 130;
    }
    terminal.stderr.write(describe(error));
    return 2;
  }
}

function describe(error: unknown): string {
  if (error instanceof SkeinError) {
    return `error: ${error.message} [${error.code}]\n  fix: ${error.row.fix}\n`;
  }
  // parseArgs explains itself.
  return `error: ${error instanceof Error ? error.message : String(error)}\n`;
}
