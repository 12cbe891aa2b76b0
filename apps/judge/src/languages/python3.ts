import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.py', '.py3'];

/** Finds syntax errors before the first test, without leaving anything behind. */
const CHECK = 'import sys\nfor f in sys.argv[1:]: compile(open(f, "rb").read(), f, "exec")';

export const python3: Language = {
  code: 'python3',
  name: 'Python 3',
  extensions,
  toolchain: { probe: ['python3', '--version'], debianPackage: 'python3' },
  entry: mainFileEntry(extensions, ['main.py', '__main__.py']),
  compile: ({ sources }) => ['python3', '-c', CHECK, ...sources],
  run: ({ folder, entry }) => ['python3', `${folder}/${entry}`],
  env: { PYTHONDONTWRITEBYTECODE: '1', PYTHONHASHSEED: '0' },
  pids: 32,
};
