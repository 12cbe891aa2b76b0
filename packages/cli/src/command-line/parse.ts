/**
 * Reads a command line by the command's own specification. Follows the habits of POSIX and GNU:
 * `--name value`, `--name=value`, `-n value`, `--` ends the options, options and arguments mix.
 */
import {
  optionName,
  type ArgumentSpecs,
  type ArgumentValues,
  type OptionSpecs,
  type OptionValues,
} from './command.ts';
import type { Option } from './option.ts';
import { didYouMean, usageError } from './usage.ts';

export interface Parsed<Values> {
  /** Empty when help was asked for. */
  readonly values: Values;
  readonly help: boolean;
}

/**
 * @param words what follows the command's name.
 * @throws SkeinError USAGE, naming the word that is wrong.
 */
export function parseArguments<A extends ArgumentSpecs, O extends OptionSpecs>(
  words: readonly string[],
  specs: { readonly arguments: A; readonly options: O },
): Parsed<ArgumentValues<A> & OptionValues<O>> {
  type Values = ArgumentValues<A> & OptionValues<O>;
  // Before validation: a request for help may come with an invalid command line.
  if (asksForHelp(words, specs)) return { values: {} as Values, help: true };
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  const keysByFlag = new Map<string, string>();
  for (const [key, option] of Object.entries<Option<unknown>>(specs.options)) {
    keysByFlag.set(`--${optionName(key)}`, key);
    if (option.short !== undefined) keysByFlag.set(`-${option.short}`, key);
  }

  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '--') {
      positionals.push(...words.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      if (startsRest(positionals.length, specs.arguments)) {
        positionals.push(...words.slice(index));
        break;
      }
      positionals.push(word);
      continue;
    }
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    const name = equals < 0 ? word : word.slice(0, equals);
    const key = keysByFlag.get(name);
    const option = key === undefined ? undefined : specs.options[key];
    if (key === undefined || option === undefined) {
      throw usageError(`Unknown option ${name}.${didYouMean(name, [...keysByFlag.keys()])}`);
    }
    const inline = equals < 0 ? undefined : word.slice(equals + 1);
    const text = option.placeholder === undefined ? withoutValue(name, inline) : inline;
    if (text !== undefined) {
      append(given, key, text);
      continue;
    }
    index += 1;
    const next = words[index];
    if (next === undefined || (next.startsWith('--') && next.length > 2)) {
      throw usageError(`${name} needs a value: ${name} ${option.placeholder}.`);
    }
    append(given, key, next);
  }

  return {
    values: {
      ...readPositionals(positionals, specs),
      ...readOptions(given, specs.options),
    } as unknown as Values,
    help: false,
  };
}

function asksForHelp(
  words: readonly string[],
  specs: { readonly arguments: ArgumentSpecs; readonly options: OptionSpecs },
): boolean {
  const own = ownWords(words, specs);
  return own.includes('--help') || own.includes('-h');
}

/** The words for Skein: before `--`, and before the command line of another program. */
function ownWords(
  words: readonly string[],
  specs: { readonly arguments: ArgumentSpecs; readonly options: OptionSpecs },
): readonly string[] {
  const takesValue = new Set(
    Object.entries<Option<unknown>>(specs.options)
      .filter(([, option]) => option.placeholder !== undefined)
      .flatMap(([key, { short }]) => [`--${optionName(key)}`, `-${short ?? ''}`]),
  );
  let places = 0;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (word === '--') return words.slice(0, index);
    if (takesValue.has(word)) index += 1;
    else if (!word.startsWith('-') && startsRest(places++, specs.arguments)) {
      return words.slice(0, index);
    }
  }
  return words;
}

function withoutValue(name: string, inline: string | undefined): string {
  if (inline !== undefined) throw usageError(`${name} takes no value, but got "${inline}".`);
  return '';
}

function append(given: Map<string, string[]>, key: string, text: string): void {
  const texts = given.get(key);
  if (texts === undefined) given.set(key, [text]);
  else texts.push(text);
}

function readPositionals(
  positionals: readonly string[],
  specs: { readonly arguments: ArgumentSpecs },
): Record<string, unknown> {
  const entries = Object.entries(specs.arguments);
  const last = entries.at(-1)?.[1];
  const extra = positionals[entries.length];
  const many = last?.takesRest === true || last?.repeats === true;
  if (extra !== undefined && !many) throw usageError(`Unexpected argument "${extra}".`);
  const values: Record<string, unknown> = {};
  for (const [index, [key, argument]] of entries.entries()) {
    const words = positionals.slice(index);
    const all = (argument.takesRest ?? argument.repeats ?? false) && words.length > 0;
    const text = all ? JSON.stringify(words) : words[0];
    if (text === undefined && argument.required) {
      throw usageError(`${argument.placeholder} is missing: ${inSentence(argument.summary)}`);
    }
    values[key] = explained(argument.placeholder, () => argument.parse(text));
  }
  return values;
}

/** `The job.` → `the job.`, but `ONNX files.` as it is. */
function inSentence(summary: string): string {
  return summary.replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase());
}

/** Whether the argument at this place takes all remaining words. */
function startsRest(place: number, specs: ArgumentSpecs): boolean {
  return Object.values(specs)[place]?.takesRest === true;
}

function readOptions(
  given: ReadonlyMap<string, string[]>,
  options: OptionSpecs,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries<Option<unknown>>(options)) {
    values[key] = explained(`--${optionName(key)}`, () => option.parse(given.get(key) ?? []));
  }
  return values;
}

/** @throws SkeinError USAGE, naming the option or variable that is wrong. */
export function explained<T>(subject: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw usageError(`${subject}: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
