/** Help texts, made from the command table. */
import { optionName, type OptionSpecs } from './command.ts';
import type { AnyCommand } from '../commands.ts';
import type { Option } from './option.ts';
import { renderFields, wrap } from '../output/table.ts';
import type { Style } from '../output/style.ts';

/** Options that every command has, in addition to its own. */
export const COMMON_OPTIONS = {
  json: 'Print the result as one JSON document on stdout.',
  help: 'Show the usage of the command.',
} as const;

export function overview(commands: readonly AnyCommand[], style: Style): string {
  return [
    `${style.bold('skein')} serves ONNX models inside a latency objective.`,
    '',
    style.bold('Usage:') + ' skein COMMAND [options]',
    '',
    ...commandRows(commands, style),
    '',
    `${style.dim(style.commands('skein help COMMAND'))} shows the options of one. Start with ${style.cyan(style.commands('skein up --example ocr'))}.`,
  ].join('\n');
}

export function commandList(title: string, commands: readonly AnyCommand[], style: Style): string {
  return [style.bold(`${title}:`), ...commandRows(commands, style)].join('\n');
}

function commandRows(commands: readonly AnyCommand[], style: Style): string[] {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return commands.map(
    ({ name, summary }) => `  ${style.cyan(name)}${' '.repeat(width - name.length)}  ${summary}`,
  );
}

/** The full usage of one command. */
export function commandHelp(command: AnyCommand, style: Style): string {
  const parts = [
    command.summary,
    `${style.bold('Usage:')} ${usageLine(command)}`,
    ...(command.details === undefined ? [] : [wrap(command.details, Math.min(style.width, 100))]),
  ];
  const argumentRows = Object.values(command.arguments).map(
    (argument) => [`  ${argument.placeholder}`, argument.summary] as const,
  );
  if (argumentRows.length > 0) parts.push(section('Arguments', argumentRows, style));
  parts.push(section('Options', [...optionRows(command.options), ...COMMON_ROWS], style));
  const examples = Object.entries(command.examples).map(
    ([line, does]) => `  ${style.dim(`# ${does}`)}\n  ${line}`,
  );
  if (examples.length > 0) {
    parts.push(`${style.bold('Examples:')}\n${examples.join('\n')}`);
  }
  return parts.join('\n\n');
}

/** `skein deploy FILE [options]` */
export function usageLine(command: AnyCommand): string {
  const words = Object.values(command.arguments).map((argument) =>
    argument.required ? argument.placeholder : `[${argument.placeholder}]`,
  );
  const rest = Object.values(command.arguments).some((argument) => argument.takesRest);
  return ['skein', command.name, ...(rest ? ['[options]', '--'] : []), ...words]
    .concat(rest ? [] : ['[options]'])
    .join(' ');
}

/** `-i, --input NAME=VALUE` */
export function optionSyntax(key: string, option: Option<unknown>): string {
  const short = option.short === undefined ? '' : `-${option.short}, `;
  const placeholder = option.placeholder === undefined ? '' : ` ${option.placeholder}`;
  return `${short}--${optionName(key)}${placeholder}`;
}

/** An option's meaning, with its default. */
export function optionMeaning(option: Option<unknown>): string {
  const repeats = option.repeats ? ' May be given many times.' : '';
  const standard = option.defaultText === undefined ? '' : ` Default: ${option.defaultText}.`;
  return `${option.summary}${repeats}${standard}`;
}

export function optionRows(options: OptionSpecs): (readonly [string, string])[] {
  return Object.entries(options).map(
    ([key, option]) => [`  ${optionSyntax(key, option)}`, optionMeaning(option)] as const,
  );
}

const COMMON_ROWS = Object.entries(COMMON_OPTIONS).map(
  ([name, meaning]) => [`  --${name}`, meaning] as const,
);

export function section(
  title: string,
  rows: readonly (readonly [string, string])[],
  style: Style,
): string {
  return `${style.bold(`${title}:`)}\n${renderFields(style, rows)}`;
}
