import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.R', '.r'];

/** Finds syntax errors before the first test. */
const CHECK = 'for (name in commandArgs(TRUE)) invisible(parse(name))';

export const r: Language = {
  code: 'r',
  name: 'R',
  extensions,
  toolchain: { probe: ['Rscript', '--version'], debianPackage: 'r-base-core', optional: true },
  entry: mainFileEntry(extensions, ['main.R', 'main.r']),
  compile: ({ sources }) => ['Rscript', '--vanilla', '-e', CHECK, ...sources],
  run: ({ folder, entry }) => ['Rscript', '--vanilla', `${folder}/${entry}`],
  pids: 32,
};
