/**
 * From a command line to an exit code: select, parse, run, render. The only place that prints
 * results and errors.
 */
import { SkeinError, type ErrorBody } from '@skein/api/errors';
import { unlessAborted } from '@skein/api/waits';
import type { Context } from './command.ts';
import { loadCommand, selectCommand, type AnyCommand } from '../commands.ts';
import { describeError, renderError } from '../output/error.ts';
import { toJson } from '../output/json.ts';
import { createNotes } from '../output/notes.ts';
import { styleOf } from '../output/style.ts';
import { shownOn, type NotesStream } from '../output/terminal.ts';
import { flag } from './option.ts';
import { parseArguments } from './parse.ts';

export const EXIT = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;

export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly stdout: NotesStream;
  readonly stderr: NotesStream;
}

const JSON_FLAG = flag('Print the result as one JSON document on stdout.');

/** Runs one command line; never throws. @returns the exit code. */
export async function runCommandLine(
  argv: readonly string[],
  around: Surroundings,
): Promise<number> {
  let json = asksForJson(argv);
  let name: string | undefined;
  const notes = createNotes(around.stderr, around.env);
  const style = styleOf(around.stdout, around.env);
  try {
    const selection = selectCommand(argv);
    name = selection.name ?? selection.group;
    const { command, values } = await select(argv, selection);
    // Words after the command of another program belong to that program.
    json = values['json'] === true;
    let remain: (() => Promise<void>) | undefined;
    const onInterrupt: (() => Promise<void>)[] = [];
    const context: Context = {
      cwd: around.cwd,
      env: around.env,
      signal: around.signal,
      json,
      notes,
      style,
      stay: (until) => {
        remain = until;
      },
      onInterrupt: (work) => {
        onInterrupt.push(work);
      },
      print: (text, kind) => {
        notes.clear();
        if (!json) around.stdout.write(shownOn(around.stdout, text, kind));
      },
    };
    const work = command.run(context, values);
    const result = await (command.endsItself === true
      ? work
      : interruptible(work, around.signal, onInterrupt));
    notes.clear();
    // The end was requested before there was anything to report.
    if (command.endsItself === true && around.signal.aborted && result === undefined)
      return EXIT.ok;
    const shown = json ? toJson(result) : command.render(result, style);
    if (shown !== '') {
      around.stdout.write(shownOn(around.stdout, shown.endsWith('\n') ? shown : `${shown}\n`));
    }
    await remain?.();
    return command.exitCode?.(result) ?? EXIT.ok;
  } catch (error) {
    notes.clear();
    if (error instanceof Interrupted) return EXIT.interrupted;
    const isUsage = error instanceof SkeinError && error.code === 'USAGE';
    const body: ErrorBody = {
      ...describeError(error, around.env),
      ...(isUsage &&
        name !== undefined &&
        name !== 'help' && { fix: `\`skein help ${name}\` shows the usage.` }),
    };
    if (json) around.stdout.write(`${shownOn(around.stdout, toJson(body))}\n`);
    else around.stderr.write(`${shownOn(around.stderr, renderError(body, notes.style))}\n`);
    return isUsage ? EXIT.usage : EXIT.failure;
  }
}

async function select(
  argv: readonly string[],
  selection = selectCommand(argv),
): Promise<{ command: AnyCommand; values: Readonly<Record<string, unknown>> }> {
  const first = argv[0];
  if (first === '--version' || first === '-V' || first === '-v') {
    return select(['version', ...argv.slice(1)]);
  }
  if (selection.name === undefined) {
    const flags = selection.rest.filter((word) => word !== '--help' && word !== '-h');
    const topic = selection.group === undefined ? [] : [selection.group];
    return select(['help', ...topic, ...flags]);
  }
  const command = await loadCommand(selection.name);
  const parsed = parseArguments(selection.rest, {
    arguments: command.arguments,
    options: { ...command.options, json: JSON_FLAG },
  });
  if (parsed.help) {
    const help = await loadCommand('help');
    return { command: help, values: { topic: selection.name } };
  }
  return { command, values: parsed.values };
}

/** Before the line is parsed, because even a mistake in it is reported as JSON when asked for. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json');
}

class Interrupted extends Error {}

/** Rejects as soon as the signal is aborted, because not every step of a command listens to it. */
async function interruptible<T>(
  work: Promise<T>,
  signal: AbortSignal,
  onInterrupt: readonly (() => Promise<void>)[],
): Promise<T> {
  try {
    return await unlessAborted(work, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    for (const last of onInterrupt) await last().catch(() => undefined);
    throw new Interrupted();
  }
}
