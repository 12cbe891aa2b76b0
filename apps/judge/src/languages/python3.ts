import { type Language, mainFileEntry } from './language.ts';

const extensions = ['.py', '.py3'];

/** Finds syntax errors before the first test; writes no files. */
const CHECK = `
import sys, traceback
status = 0
for name in sys.argv[1:]:
    try:
        compile(open(name, "rb").read(), name, "exec")
    except Exception as error:
        status = 1
        sys.stderr.writelines(traceback.format_exception_only(error))
sys.exit(status)
`;

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
  grammar: 'python',
};
