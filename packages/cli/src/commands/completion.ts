/** `skein completion`: a script for the shell. */
import { defineCommand } from '../command.ts';
import { loadCommands } from '../commands.ts';
import { completionScript, SHELLS } from '../completion.ts';
import { choiceArgument } from '../option.ts';

export const completion = defineCommand({
  name: 'completion',
  summary: 'Print a completion script for bash, zsh or fish.',
  examples: [{ command: 'source <(skein completion bash)', does: 'Complete in this shell' }],
  arguments: { shell: choiceArgument('SHELL', SHELLS, 'bash, zsh or fish.') },
  options: {},
  async run(_context, { shell }) {
    return { shell, script: completionScript(shell, await loadCommands()) };
  },
  render: ({ script }) => script,
});
