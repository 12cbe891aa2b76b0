import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.php'];

/** Without the machine's php.ini; error messages would stand among the answers on stdout. */
const PHP = ['php', '-n', '-d', 'display_errors=stderr', '-d', 'html_errors=0'];

export const php: Language = {
  code: 'php',
  name: 'PHP',
  extensions,
  toolchain: { probe: ['php', '--version'], debianPackage: 'php-cli' },
  entry: mainFileEntry(extensions, ['main.php']),
  compile: ({ entry }) => [...PHP, '-l', entry],
  run: ({ folder, entry }) => [...PHP, '-d', 'memory_limit=-1', `${folder}/${entry}`],
  pids: 32,
};
