/**
 * A command as a value: its name, its arguments, its work, and how its result is shown. `run`
 * returns data and prints nothing; `render` is a pure function of that data, so that `--json` and
 * the text always agree.
 */
import type { Notes } from '../output/notes.ts';
import type { Style } from '../output/style.ts';
import type { TextKind } from '../output/terminal.ts';
import type { Argument, Option } from './option.ts';

export type ArgumentSpecs = Readonly<Record<string, Argument<unknown>>>;
export type OptionSpecs = Readonly<Record<string, Option<unknown>>>;

/** The values of arguments and options under their names in the specification. */
export type ArgumentValues<A extends ArgumentSpecs> = {
  readonly [K in keyof A]: A[K] extends Argument<infer T> ? T : never;
};
export type OptionValues<O extends OptionSpecs> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never;
};

/** The parts of the process that a command uses. */
export interface Context {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  readonly json: boolean;
  /** Progress and notes, on stderr. */
  readonly notes: Notes;
  /** Keeps the command running after its result was printed, until the promise resolves. */
  stay(until: () => Promise<void>): void;
  /** Work to do when the command is interrupted; the process waits for it. */
  onInterrupt(work: () => Promise<void>): void;
  /** Prints text on stdout before the result, as `show --watch` does; nothing in JSON mode. */
  print(text: string, kind?: TextKind): void;
  /** The style of stdout. */
  readonly style: Style;
}

/** How a command is described, and how its result is shown. */
export interface CommandText<R> {
  /** One word, or more for a command of a group: `keys create`, `queue schedule put`. */
  readonly name: string;
  readonly summary: string;
  /** Paragraphs for help and the reference page, as plain text. */
  readonly details?: string | undefined;
  /** Command lines, and what each does. */
  readonly examples: Readonly<Record<string, string>>;
  /**
   * Whether `run` handles the signal itself and exits with its own code; a result of `undefined` is then not
   * shown. Other commands are abandoned, and the code is 130.
   */
  readonly endsItself?: boolean;
  render(result: R, style: Style): string;
  /** 0 when absent. */
  exitCode?(result: R): number;
}

export interface Command<
  A extends ArgumentSpecs = ArgumentSpecs,
  O extends OptionSpecs = OptionSpecs,
  R = unknown,
> extends CommandText<R> {
  /** In the order in which they are written; required ones first. */
  readonly arguments: A;
  /** Names in camel case; `maxBody` is written `--max-body`. */
  readonly options: O;
  run(context: Context, input: ArgumentValues<A> & OptionValues<O>): Promise<R>;
}

/** Types a command from its specification. */
export function defineCommand<const A extends ArgumentSpecs, const O extends OptionSpecs, R>(
  command: Command<A, O, R>,
): Command<A, O, R> {
  return command;
}

/** `maxBody` → `max-body`. */
export function optionName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
