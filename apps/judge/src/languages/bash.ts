import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.sh', '.bash'];

export const bash: Language = {
  code: 'bash',
  name: 'Bash',
  extensions,
  toolchain: { probe: ['bash', '--version'], debianPackage: 'bash' },
  entry: mainFileEntry(extensions, ['main.sh', 'main.bash']),
  compile: ({ entry }) => ['bash', '-n', entry],
  run: ({ folder, entry }) => ['bash', `${folder}/${entry}`],
  pids: 64,
};
