/** The files of this repository that are written from the command table, by their path from its root. */
import { loadCommands } from './commands.ts';
import { referencePage } from './reference.ts';

export const GENERATED_FILES: Readonly<Record<string, () => Promise<string>>> = {
  'docs/reference/cli.md': async () => referencePage(await loadCommands()),
};
