/**
 * Reads a command line by the command's own specification. Follows the habits of POSIX and GNU:
 * `--name value`, `--name=value`, `-n value`, `--` ends the options, options and arguments mix.
 */
import { optionName, type ArgumentSpecs, type OptionSpecs } from './command.ts';
import { COMMAND_NAMES, type CommandName } from './commands.ts';
import type { Option } from './option.ts';
import { didYouMean, usageError } from './usage.ts';

export interface Selection {
  /** Absent: no command was named, or only a group (`keys`, `queue schedule`). */
  readonly name?: CommandName | undefined;
  /** A group that was named without the word that follows. */
  readonly group?: string | undefined;
  readonly rest: readonly string[];
}

export interface Parsed {
  readonly values: Readonly<Record<string, unknown>>;
  readonly help: boolean;
}

/** Splits the command's name off. Options before it are allowed when they take no value. */
export function selectCommand(argv: readonly string[]): Selection {
  const start = argv.findIndex((word) => !word.startsWith('-'));
  if (start < 0) return { rest: argv };
  const before = argv.slice(0, start);
  const first = argv[start] ?? '';
  let name = first;
  for (let next = start + 1; ; next++) {
    const known = wordsOf(name);
    const word = argv[next] ?? '';
    if (known.includes(word)) {
      name = `${name} ${word}`;
      continue;
    }
    const rest = [...before, ...argv.slice(next)];
    const found = findName(name);
    if (found !== undefined) return { name: found, rest };
    if (known.length === 0) {
      throw usageError(`There is no command "${first}".${didYouMean(first, COMMAND_NAMES)}`);
    }
    if (word === '' || word.startsWith('-')) return { group: name, rest };
    throw usageError(
      `"skein ${name}" has no command "${word}".${didYouMean(word, known)} It has: ${known.join(', ')}.`,
    );
  }
}

/** The subcommands of a group; none when it is not a group. */
function wordsOf(group: string): readonly string[] {
  const start = `${group} `;
  const inside = COMMAND_NAMES.filter((name) => name.startsWith(start));
  return [...new Set(inside.map((name) => name.slice(start.length).split(' ')[0] ?? ''))];
}

/**
 * @param words what follows the command's name.
 * @throws SkeinError USAGE, naming the word that is wrong.
 */
export function parseArguments(
  words: readonly string[],
  specs: { readonly arguments: ArgumentSpecs; readonly options: OptionSpecs },
): Parsed {
  // Before validation: a request for help may come with an invalid command line.
  if (asksForHelp(words, specs)) return { values: {}, help: true };
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  const keysByFlag = new Map<string, string>();
  for (const [key, option] of Object.entries(specs.options)) {
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
    values: { ...readPositionals(positionals, specs), ...readOptions(given, specs.options) },
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
  const rest = startsRest(entries.length - 1, specs.arguments);
  const extra = positionals[entries.length];
  if (extra !== undefined && !rest) throw usageError(`Unexpected argument "${extra}".`);
  const values: Record<string, unknown> = {};
  for (const [index, [key, argument]] of entries.entries()) {
    const words = positionals.slice(index);
    const text = argument.takesRest && words.length > 0 ? JSON.stringify(words) : words[0];
    if (text === undefined && argument.required) {
      throw usageError(`${argument.placeholder} is missing: ${argument.summary}`);
    }
    values[key] = explained(argument.placeholder, () => argument.parse(text));
  }
  return values;
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

function explained<T>(subject: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw usageError(`${subject}: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function findName(name: string): CommandName | undefined {
  return COMMAND_NAMES.find((known) => known === name);
}
