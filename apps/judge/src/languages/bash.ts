import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.sh'];

export const bash: Language = {
  code: 'bash',
  name: 'Bash',
  extensions,
  toolchain: { probe: ['bash', '--version'], debianPackage: 'bash' },
  entry: mainFileEntry(extensions, ['main.sh']),
  compile: ({ entry }) => ['bash', '-n', entry],
  run: ({ folder, entry }) => ['bash', `${folder}/${entry}`],
  pids: 64,
};
