/**
 * Options and arguments of the command line as values: how one is written, what it means, and how
 * its text becomes a typed value. Parsing, help, shell completion and the reference page read the
 * same values, so they agree.
 */
import { formatDuration, parseBytes, parseDuration } from '@skein/api/units';

/** Completions that a shell may offer for a value. */
export type Completes = 'file' | 'folder' | 'deployment' | 'nothing';

export interface Option<T> {
  readonly summary: string;
  /** How the value is written in help, such as `FILE`; absent for a flag, which takes none. */
  readonly placeholder?: string | undefined;
  readonly choices?: readonly string[] | undefined;
  readonly completes: Completes;
  readonly repeats: boolean;
  /** One letter, without the dash. */
  readonly short?: string | undefined;
  /** The default as a person reads it. */
  readonly defaultText?: string | undefined;
  /**
   * @param texts every occurrence in order; empty when the option was not given.
   * @throws Error whose message states what is wrong with the text.
   */
  parse(texts: readonly string[]): T;
}

export interface Argument<T> extends Pick<Option<T>, 'summary' | 'choices' | 'completes'> {
  readonly placeholder: string;
  readonly required: boolean;
  /**
   * Takes all remaining words, options included: the command line of another program. `parse` gets
   * them as one JSON array.
   */
  readonly takesRest?: boolean | undefined;
  /** Takes all remaining words that are not options; `parse` gets them as one JSON array. */
  readonly repeats?: boolean | undefined;
  parse(text: string | undefined): T;
}

/** Completion of a value by its placeholder in help; other values get a hint. */
const COMPLETIONS: Readonly<Record<string, Completes>> = { FILE: 'file', FOLDER: 'folder' };

const completionOf = (placeholder: string): Completes => COMPLETIONS[placeholder] ?? 'nothing';

interface ValueHints {
  readonly short?: string;
  readonly completes?: Completes;
  readonly choices?: readonly string[];
}

/** Both are allowed. */
type Bounds = readonly [least: number, most: number];

export function flag(summary: string, hints: { short?: string } = {}): Option<boolean> {
  return {
    summary,
    completes: 'nothing',
    repeats: false,
    ...hints,
    parse: (texts) => texts.length > 0,
  };
}

/** An option with a value of its own kind; `undefined` when it is not given. The last one wins. */
export function value<T>(
  placeholder: string,
  summary: string,
  read: (text: string) => T,
  hints: ValueHints = {},
): Option<T | undefined> {
  return {
    summary,
    placeholder,
    completes: completionOf(placeholder),
    repeats: false,
    ...hints,
    parse(texts) {
      const text = texts.at(-1);
      return text === undefined ? undefined : read(text);
    },
  };
}

/** The same option with a value when it is not given, written as a person would write it. */
export function withDefault<T>(option: Option<T | undefined>, text: string): Option<T> {
  return {
    ...option,
    defaultText: text,
    parse(texts) {
      const parsed = option.parse(texts.length === 0 ? [text] : texts);
      if (parsed === undefined) throw new Error(`the default "${text}" has no value`);
      return parsed;
    },
  };
}

export function text(
  placeholder: string,
  summary: string,
  hints: ValueHints = {},
): Option<string | undefined> {
  return value(placeholder, summary, readText, hints);
}

/** A value that may be given many times. */
export function many(
  placeholder: string,
  summary: string,
  hints: ValueHints = {},
): Option<readonly string[]> {
  return {
    summary,
    placeholder,
    completes: completionOf(placeholder),
    repeats: true,
    ...hints,
    parse: (texts) => texts.map(readText),
  };
}

export function choice<const C extends string>(
  choices: readonly C[],
  summary: string,
): Option<C | undefined> {
  return value(choices.join('|'), summary, (given) => readChoice(choices, given), { choices });
}

export function integer(
  placeholder: string,
  summary: string,
  [min, max]: Bounds,
): Option<number | undefined> {
  return value(placeholder, summary, (given) => {
    const number = /^-?\d+$/.test(given) ? Number(given) : Number.NaN;
    if (!(number >= min && number <= max)) {
      throw new Error(
        `"${given}" is not a whole number from ${min} to ${max.toLocaleString('en')}`,
      );
    }
    return number;
  });
}

export function decimal(
  placeholder: string,
  summary: string,
  bounds: Bounds,
): Option<number | undefined> {
  return value(placeholder, summary, (given) => readDecimal(given, bounds));
}

/** Numbers with commas between them, such as `5,25,100`. */
export function decimals(
  placeholder: string,
  summary: string,
  bounds: Bounds,
): Option<readonly number[] | undefined> {
  return value(placeholder, summary, (given) =>
    given.split(',').map((part) => readDecimal(part.trim(), bounds)),
  );
}

/** A length of time with its unit; the value is in milliseconds. */
export function duration(
  summary: string,
  [min, max]: Bounds = [0, 86_400_000],
): Option<number | undefined> {
  return value('TIME', summary, (given) => {
    const ms = parseDuration(given);
    if (!(ms >= min && ms <= max)) {
      throw new Error(
        `"${given}" is not between ${formatDuration(min)} and ${formatDuration(max)}`,
      );
    }
    return ms;
  });
}

/** A size such as `64MiB`; the value is in bytes. */
export function bytes(summary: string): Option<number | undefined> {
  return value('SIZE', summary, parseBytes);
}

/** `2` or `1..4`. */
export function range(
  placeholder: string,
  summary: string,
): Option<{ min: number; max: number } | undefined> {
  return value(placeholder, summary, (given) => {
    const match = /^(\d+)(?:\.\.(\d+))?$/.exec(given);
    const min = Number(match?.[1] ?? Number.NaN);
    const max = Number(match?.[2] ?? min);
    if (!(min <= max)) throw new Error(`"${given}" is not a number or a range such as 1..4`);
    return { min, max };
  });
}

export function argument(
  placeholder: string,
  summary: string,
  hints: { completes?: Completes } = {},
): Argument<string> {
  return {
    summary,
    placeholder,
    required: true,
    completes: completionOf(placeholder),
    ...hints,
    parse: (given) => readText(given ?? ''),
  };
}

export function optionalArgument(
  placeholder: string,
  summary: string,
  hints: { completes?: Completes } = {},
): Argument<string | undefined> {
  return {
    summary,
    placeholder,
    required: false,
    completes: completionOf(placeholder),
    ...hints,
    parse: (given) => (given === undefined ? undefined : readText(given)),
  };
}

/** Any number of words, options between them; the last argument of a command. */
export function manyArguments(
  placeholder: string,
  summary: string,
  { required = false, completes = 'file' }: { required?: boolean; completes?: Completes } = {},
): Argument<readonly string[]> {
  return {
    summary,
    placeholder,
    required,
    completes,
    repeats: true,
    parse: (given) => JSON.parse(given ?? '[]') as readonly string[],
  };
}

/** The command line of another program: from its first word on, nothing is read as an option. */
export function restArgument(placeholder: string, summary: string): Argument<readonly string[]> {
  return {
    summary,
    placeholder,
    required: true,
    completes: 'file',
    takesRest: true,
    parse: (given) => JSON.parse(given ?? '[]') as readonly string[],
  };
}

/** The same, when it may be left out. */
export function optionalRest(
  placeholder: string,
  summary: string,
): Argument<readonly string[] | undefined> {
  return {
    ...restArgument(placeholder, summary),
    required: false,
    parse: (given) => (given === undefined ? undefined : (JSON.parse(given) as readonly string[])),
  };
}

export function choiceArgument<const C extends string>(
  placeholder: string,
  choices: readonly C[],
  summary: string,
): Argument<C> {
  return {
    summary,
    placeholder,
    required: true,
    choices,
    completes: 'nothing',
    parse: (given) => readChoice(choices, given ?? ''),
  };
}

function readText(given: string): string {
  if (given === '') throw new Error('the value is empty');
  return given;
}

function readChoice<C extends string>(choices: readonly C[], given: string): C {
  const found = choices.find((choice) => choice === given);
  if (found === undefined) throw new Error(`"${given}" is not one of ${choices.join(', ')}`);
  return found;
}

function readDecimal(given: string, [min, max]: Bounds): number {
  const number = /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(given) ? Number(given) : Number.NaN;
  if (!(number >= min && number <= max)) {
    throw new Error(`"${given}" is not a number from ${min} to ${max}`);
  }
  return number;
}
