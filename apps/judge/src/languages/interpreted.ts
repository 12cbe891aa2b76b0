/** Languages whose interpreter runs the main file; their build finds syntax errors before the first test. */
import { type Language, mainFileEntry } from './language.ts';

interface Row extends Omit<Language, 'entry' | 'pids'>, Partial<Pick<Language, 'pids'>> {
  /** Default names of the main file, the preferred one first. */
  readonly mains: readonly string[];
}

const interpreted = ({ mains, ...row }: Row): Language => ({
  entry: mainFileEntry(row.extensions, mains),
  pids: 32,
  ...row,
});

/** A directive or a rule of Prolog at the start of a line; a program of Prolog needs one to start. */
const PROLOG = /^(?:[a-z]\w*(?:\([^?\n]*\))?[ \t]*)?:-/m;

/** Without the machine's php.ini; error messages would stand among the answers on stdout. */
const PHP = ['php', '-n', '-d', 'display_errors=stderr', '-d', 'html_errors=0'];

/** Finds syntax errors; writes no files. */
const CHECK_PYTHON = `
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

const CHECK_R = 'for (name in commandArgs(TRUE)) invisible(parse(name))';

/**
 * A shell that gives Ruby a stack of 32 MiB, and its arguments. Ruby writes to its whole stack when
 * it starts, so a stack as large as the memory limit would leave no memory; calls of Ruby's own
 * methods are kept on another stack, whose size a variable sets.
 */
function withSmallStack(...args: readonly string[]): string[] {
  return ['sh', '-c', 'ulimit -S -s 32768 && exec ruby "$@"', 'ruby', ...args];
}

export const bash = interpreted({
  code: 'bash',
  name: 'Bash',
  extensions: ['.sh', '.bash'],
  toolchain: { probe: ['bash', '--version'], debianPackage: 'bash' },
  mains: ['main.sh', 'main.bash'],
  compile: ({ entry }) => ['bash', '-n', entry],
  run: ({ folder, entry }) => ['bash', `${folder}/${entry}`],
  pids: 64,
});

export const lua = interpreted({
  code: 'lua',
  name: 'Lua',
  extensions: ['.lua'],
  toolchain: { probe: ['lua5.4', '-v'], debianPackage: 'lua5.4' },
  mains: ['main.lua'],
  compile: ({ sources }) => ['luac5.4', '-p', ...sources],
  run: ({ folder, entry }) => ['lua5.4', `${folder}/${entry}`],
});

export const perl = interpreted({
  code: 'perl',
  name: 'Perl',
  extensions: ['.pl', '.pm'],
  // The format gives `.pl` to Prolog, which this judge does not run; most judges give it to Perl.
  owns: ({ content }) => !PROLOG.test(new TextDecoder().decode(content)),
  toolchain: { probe: ['perl', '--version'], debianPackage: 'perl' },
  mains: ['main.pl', 'main.pm'],
  compile: ({ entry }) => ['perl', '-I', '.', '-c', entry],
  run: ({ folder, entry }) => ['perl', '-I', folder, `${folder}/${entry}`],
});

export const php = interpreted({
  code: 'php',
  name: 'PHP',
  extensions: ['.php'],
  toolchain: { probe: ['php', '--version'], debianPackage: 'php-cli' },
  mains: ['main.php'],
  compile: ({ entry }) => [...PHP, '-l', entry],
  run: ({ folder, entry }) => [...PHP, '-d', 'memory_limit=-1', `${folder}/${entry}`],
});

export const python3 = interpreted({
  code: 'python3',
  name: 'Python 3',
  extensions: ['.py', '.py3'],
  toolchain: { probe: ['python3', '--version'], debianPackage: 'python3' },
  mains: ['main.py', '__main__.py'],
  compile: ({ sources }) => ['python3', '-c', CHECK_PYTHON, ...sources],
  run: ({ folder, entry }) => ['python3', `${folder}/${entry}`],
  env: { PYTHONDONTWRITEBYTECODE: '1', PYTHONHASHSEED: '0' },
  grammar: 'python',
});

/** The files of Python 3, where the language is named. */
export const pypy3: Language = {
  ...python3,
  code: 'pypy3',
  name: 'Python 3 (PyPy)',
  extensions: [],
  sharedExtensions: python3.extensions,
  toolchain: { probe: ['pypy3', '--version'], debianPackage: 'pypy3', optional: true },
  run: ({ folder, entry }) => ['pypy3', `${folder}/${entry}`],
};

export const r = interpreted({
  code: 'r',
  name: 'R',
  extensions: ['.R', '.r'],
  toolchain: { probe: ['Rscript', '--version'], debianPackage: 'r-base-core', optional: true },
  mains: ['main.R', 'main.r'],
  compile: ({ sources }) => ['Rscript', '--vanilla', '-e', CHECK_R, ...sources],
  run: ({ folder, entry }) => ['Rscript', '--vanilla', `${folder}/${entry}`],
});

export const ruby = interpreted({
  code: 'ruby',
  name: 'Ruby',
  extensions: ['.rb'],
  toolchain: { probe: withSmallStack('--version'), debianPackage: 'ruby' },
  mains: ['main.rb'],
  compile: ({ entry }) => withSmallStack('-c', entry),
  run: ({ folder, entry }) => withSmallStack(`${folder}/${entry}`),
  env: { RUBY_THREAD_VM_STACK_SIZE: `${64 * 2 ** 20}` },
});
