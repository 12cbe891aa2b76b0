/**
 * Reads a command line by the command's own specification. Follows the habits of POSIX and GNU:
 * `--name value`, `--name=value`, `-n value`, `--` ends the options, options and arguments mix.
 */
import { parseArgs } from 'node:util';
import { defined } from '@skein/api/defined';
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
  const byName = new Map(
    Object.entries<Option<unknown>>(specs.options).map(([key, option]) => [
      optionName(key),
      { key, option },
    ]),
  );
  const { positionals, options } = splitWords(words, byName, specs.arguments);
  // Before validation: a request for help may come with an invalid command line.
  if (options.some(({ rawName }) => rawName === '--help' || rawName === '-h')) {
    return { values: {} as Values, help: true };
  }
  const given = new Map<string, string[]>();
  for (const { name, rawName, value, inlineValue } of options) {
    const known = byName.get(name);
    if (known === undefined) {
      const flags = [...byName.keys()].map((each) => `--${each}`);
      throw usageError(`Unknown option ${rawName}.${didYouMean(rawName, flags)}`);
    }
    const { key, option } = known;
    if (option.placeholder === undefined) {
      if (value !== undefined) {
        throw usageError(`${rawName} takes no value, but got "${value}".`);
      }
    } else if (value === undefined || (!inlineValue && /^--./.test(value))) {
      throw usageError(`${rawName} needs a value: ${rawName} ${option.placeholder}.`);
    }
    given.set(key, [...(given.get(key) ?? []), value ?? '']);
  }

  return {
    values: {
      ...readPositionals(positionals, specs),
      ...readOptions(given, specs.options),
    } as unknown as Values,
    help: false,
  };
}

/** Options end at `--`, and where the command line of another program begins. */
function splitWords(
  words: readonly string[],
  byName: ReadonlyMap<string, { readonly option: Option<unknown> }>,
  specs: ArgumentSpecs,
) {
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      [...byName].map(([name, { option }]) => [
        name,
        {
          type: option.placeholder === undefined ? 'boolean' : 'string',
          ...defined({ short: option.short }),
        },
      ]),
    ),
    strict: false,
    tokens: true,
  });
  const positionals: string[] = [];
  const options: Extract<(typeof tokens)[number], { kind: 'option' }>[] = [];
  for (const token of tokens) {
    if (token.kind === 'option') {
      options.push(token);
    } else if (token.kind === 'positional' && !startsRest(positionals.length, specs)) {
      positionals.push(token.value);
    } else {
      const from = token.kind === 'positional' ? token.index : token.index + 1;
      positionals.push(...words.slice(from));
      break;
    }
  }
  return { positionals, options };
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
