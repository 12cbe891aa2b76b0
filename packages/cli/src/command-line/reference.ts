/** The reference page docs/reference/cli.md, generated from the command table. */
import { loadCommands, type AnyCommand } from '../commands.ts';
import { COMMON_OPTIONS, optionMeaning, optionSyntax, usageLine } from './help.ts';

/** @returns the whole page as Markdown, with a final line break. */
export function referencePage(commands: readonly AnyCommand[]): string {
  return `${[
    '# The `skein` command',
    '<!-- Written by packages/cli/scripts/write-reference.ts; do not edit. -->',
    'In a clone of the repository, write `npx skein`.',
    [
      '- `--json` prints the result as one JSON document on stdout; progress and notes go to stderr.',
      '- An error states what happened, why, and how to fix it; its code is explained in [errors](errors.md). With `--json` it is printed as `{"error", "code", "fix"}`.',
      '- Exit codes: 0 done, 1 failed, 2 a mistake on the command line, 130 ended by Ctrl-C.',
      '- Times take a unit, such as `100ms`, `2s` or `1m`; sizes may take one, such as `64MiB` or `1GB`.',
    ].join('\n'),
    '## Environment',
    table(
      ['Variable', 'Meaning'],
      [
        ['`SKEIN_URL`', 'The node to talk to, when `--server` is not given.'],
        ['`SKEIN_KEY`', 'The API key, when `--key` is not given.'],
        ['`SKEIN_DATA`', 'The data folder, when `--data` is not given; default `.skein`.'],
        ['`NO_COLOR`', 'When set, nothing is coloured.'],
      ],
    ),
    '## Commands',
    table(
      ['Command', 'What it does'],
      commands.map((command) => [
        `[\`skein ${command.name}\`](#skein-${command.name.replaceAll(' ', '-')})`,
        command.summary,
      ]),
    ),
    ...commands.flatMap(commandSection),
  ].join('\n\n')}\n`;
}

function commandSection(command: AnyCommand): string[] {
  const parts = [
    `### skein ${command.name}`,
    command.summary,
    `\`\`\`sh\n${usageLine(command)}\n\`\`\``,
    ...(command.details === undefined ? [] : [command.details]),
  ];
  const rows = [
    ...Object.values(command.arguments).map((argument) => [
      `\`${argument.placeholder}\``,
      argument.summary,
    ]),
    ...Object.entries(command.options).map(([key, option]) => [
      `\`${optionSyntax(key, option)}\``,
      optionMeaning(option),
    ]),
    ...Object.entries(COMMON_OPTIONS).map(([name, meaning]) => [`\`--${name}\``, meaning]),
  ];
  parts.push(table(['Argument or option', 'Meaning'], rows));
  const lines = Object.entries(command.examples).map(([line, does]) => `# ${does}\n${line}`);
  if (lines.length > 0) {
    parts.push(`\`\`\`sh\n${lines.join('\n')}\n\`\`\``);
  }
  return parts;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The files of this repository that are written from the command table, by their path from its root. */
export const GENERATED_FILES: Readonly<Record<string, () => Promise<string>>> = {
  'docs/reference/cli.md': async () => referencePage(await loadCommands()),
};
