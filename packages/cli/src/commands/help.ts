/** `skein help`: the commands, or the usage of one. */
import { defineCommand } from '../command-line/command.ts';
import { COMMAND_NAMES, loadCommand, loadCommands, type AnyCommand } from '../commands.ts';
import {
  commandHelp,
  commandList,
  optionMeaning,
  optionSyntax,
  overview,
  usageLine,
} from '../command-line/help.ts';
import { optionalArgument } from '../command-line/option.ts';
import { didYouMean, usageError } from '../command-line/usage.ts';

export interface Help {
  readonly commands: readonly AnyCommand[];
  readonly topic?: string | undefined;
  /** The same for `--json`. */
  toJSON(): unknown;
}

export const help = defineCommand({
  name: 'help',
  summary: 'Show the commands, or the usage of one.',
  examples: { 'skein help deploy': 'The options of a command' },
  arguments: {
    topic: optionalArgument('COMMAND', 'The command, or the first word of a group such as keys.'),
    second: optionalArgument('WORD', 'The second word of a command such as keys create.'),
    third: optionalArgument('WORD', 'The third word of a command such as queue schedule put.'),
  },
  options: {},
  async run(_context, { topic, second, third }): Promise<Help> {
    if (topic === undefined) return describe(await loadCommands(), undefined);
    const wanted = [topic, second, third].filter((word) => word !== undefined).join(' ');
    const names = COMMAND_NAMES.filter((name) => name === wanted || name.startsWith(`${wanted} `));
    if (names.length === 0) {
      throw usageError(`There is no command "${wanted}".${didYouMean(wanted, COMMAND_NAMES)}`);
    }
    return describe(await Promise.all(names.map(loadCommand)), wanted);
  },
  render({ commands, topic }, style) {
    // `privacy` is a command, and the first word of others.
    const named = commands.find(({ name }) => name === topic) ?? oneOf(commands);
    if (topic === undefined || named === undefined) return overview(commands, style);
    const others = commands.filter((each) => each !== named);
    const listed = others.length === 0 ? [] : [commandList('Commands', others, style)];
    return [commandHelp(named, style), ...listed].join('\n\n');
  },
});

function oneOf(commands: readonly AnyCommand[]): AnyCommand | undefined {
  return commands.length === 1 ? commands[0] : undefined;
}

function describe(commands: readonly AnyCommand[], topic: string | undefined): Help {
  return {
    commands,
    topic,
    toJSON: () =>
      commands.map((command) => ({
        name: command.name,
        summary: command.summary,
        usage: usageLine(command),
        options: Object.entries(command.options).map(([key, option]) => ({
          syntax: optionSyntax(key, option),
          meaning: optionMeaning(option),
        })),
        examples: Object.entries(command.examples).map(([line, does]) => ({ command: line, does })),
      })),
  };
}
