/**
 * The `skein-health` command: `demo` shows all of it on invented patients, `train` makes a version, `serve` answers with it, `verify` derives a card again, and
 * `audit` checks and exports the audit log.
 *
 * Exit codes: 0 all is well; 1 something is not as it must be; 2 the command could not do its work.
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
import { OPTIONS, type Command, type Terminal } from './options.ts';

const COMMANDS: Readonly<Record<string, Command>> = {
  demo: async (...given) => (await import('./demo-command.ts')).runDemo(...given),
  train: async (...given) => (await import('./train-command.ts')).runTrain(...given),
  serve: async (...given) => (await import('./serve-command.ts')).runServe(...given),
  verify: async (...given) => (await import('./verify-command.ts')).runVerify(...given),
  audit: async (...given) => (await import('./audit-command.ts')).runAudit(...given),
};

const USAGE = `Usage: skein-health COMMAND [OPTIONS]

  demo                      four hospitals train a version, a FHIR server has charts, the service answers
  train                     train a version on rows in one place, calibrate it by hospital, give it the label
  serve                     answer CDS Hooks and FHIR Bundles with the labelled version
  verify CARD               derive a card again from the data folder, without a network
  audit                     check the audit log; with --json export it as FHIR AuditEvents, one a line

No medical device: for research and evaluation, never in place of usual care.

${section('Options', optionRows(OPTIONS), PLAIN)}
  -h, --help                  This text.

Exit codes: 0 all is well; 1 something is not as it must be; 2 the command could not do its work.
`;

export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  const { stdout, stderr, signal } = terminal;
  try {
    const parsed = parseArguments(args, {
      arguments: { words: manyArguments('WORD…', 'The command, and what it works on.') },
      options: OPTIONS,
    });
    if (parsed.help) {
      stdout.write(USAGE);
      return 0;
    }
    const { words, ...options } = parsed.values;
    const [name, ...operands] = words;
    const command =
      name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) {
      const unknown = `error: There is no command "${safeText(name ?? '')}".${didYouMean(name ?? '', Object.keys(COMMANDS))}\n\n`;
      stderr.write(name === undefined ? USAGE : `${unknown}${USAGE}`);
      return 2;
    }
    return await command(operands, options, terminal);
  } catch (error) {
    if (signal.aborted) return 130;
    stderr.write(safeText(describe(error)));
    return error instanceof SkeinError && CHECKED.has(error.code) ? 1 : 2;
  }
}

/** Errors of what a command was asked to check. */
const CHECKED: ReadonlySet<string> = new Set(['HEALTH_CARD', 'HEALTH_AUDIT']);

function describe(error: unknown): string {
  if (error instanceof SkeinError) {
    return `error: ${error.message} [${error.code}]\n  fix: ${FIXES[error.code] ?? error.row.fix}\n`;
  }
  return `error: ${error instanceof Error ? error.message : String(error)}\n`;
}
