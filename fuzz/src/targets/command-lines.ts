/** Command lines, one word a line. */
import { SkeinError } from '@skein/api';
import {
  COMMAND_NAMES,
  loadCommands,
  selectCommand,
  type CommandName,
} from '../../../packages/cli/src/commands.ts';
import { parseArguments } from '../../../packages/cli/src/command-line/parse.ts';
import { bytesInput } from '../engine/bytes.ts';
import type { Target } from '../engine/target.ts';

export async function openCommandLines(): Promise<Target> {
  const commands = new Map((await loadCommands()).map((command) => [command.name, command]));
  const flags = [...commands.values()].flatMap(({ options }) =>
    Object.keys(options).map(
      (key) => `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    ),
  );
  const examples = [...commands.values()].flatMap(({ examples }) =>
    Object.keys(examples).map((line) => line.replace(/^(npx )?skein /, '')),
  );
  return {
    seeds: [...COMMAND_NAMES, ...examples].map((line) => Buffer.from(line.replaceAll(' ', '\n'))),
    structure: bytesInput([
      ...new Set(flags),
      '\n',
      '--',
      '=',
      '-1',
      '1constructor',
      '64MiB',
      '10s',
      '1..4',
      '__proto__',
      '{}',
      'NAME=',
      '\0',
    ]),
    refuses: (error) => error instanceof SkeinError && error.code === 'USAGE',
    run(input) {
      const { name, rest } = selectCommand(Buffer.from(input).toString().split('\n'));
      const command = commands.get(name as CommandName);
      if (command === undefined) return;
      const { values } = parseArguments(rest, command);
      for (const [key, value] of Object.entries(values)) {
        if (Number.isNaN(value)) throw new Error(`--${key} was read as NaN`);
      }
    },
  };
}
