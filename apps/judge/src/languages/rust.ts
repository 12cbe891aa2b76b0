import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.rs'];

export const rust: Language = {
  code: 'rust',
  name: 'Rust',
  extensions,
  toolchain: { probe: ['rustc', '--version'], debianPackage: 'rustc' },
  entry: mainFileEntry(extensions, ['main.rs']),
  compile: ({ entry }) => ['rustc', '--edition=2021', '-O', '-o', 'program', entry],
  run: ({ folder }) => [`${folder}/program`],
  pids: 32,
  grammar: 'rust',
};
