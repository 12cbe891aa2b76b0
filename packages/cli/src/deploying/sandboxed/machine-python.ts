/**
 * The Python of this machine that has the packages of a conversion, as a sandbox can run it.
 *
 * It may be the system's, a virtual environment's, or one of pyenv, uv or conda. A sandbox shows the system's
 * folders alone, so that folders of packages elsewhere are mounted at places of their own and named by PYTHONPATH,
 * and a Python elsewhere is mounted where it is. No other folder of the user is mounted.
 */
import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { delimiter, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api/errors';
import type { Mount } from '@skein/sandbox';
import { isOutside } from '../../file.ts';

/** A package of Python, and how it is installed. */
export interface PythonPackage {
  /** Its name in `import`. */
  readonly module: string;
  readonly debian: string | undefined;
  readonly pip: string;
}

export interface MachinePython {
  readonly program: string;
  readonly mounts: readonly Mount[];
  readonly env: Readonly<Record<string, string>>;
  /** The modules that it has, of those that were asked for. */
  readonly modules: ReadonlySet<string>;
}

const FIND = `
import importlib.util, json, os, sys
sys.path = [each for each in sys.path if each not in ('', os.getcwd())]
print(json.dumps({
    'program': os.path.realpath(getattr(sys, '_base_executable', '') or sys.executable),
    'base': sys.base_prefix,
    'packages': [each for each in sys.path if each.endswith('-packages') and os.path.isdir(each)],
    'modules': [each for each in sys.argv[1:] if importlib.util.find_spec(each)]}))`;
/** Importing nothing, a Python answers at once; one on a network share may not. */
const FIND_MS = 20_000;
/** Folders of the host that every sandbox shows. */
const SYSTEM = /^\/(usr|bin|sbin|lib|lib32|lib64|libx32)(\/|$)/;
/** Folders that a sandbox replaces by its own, in which nothing can be mounted. */
const REPLACED = /^\/(proc|dev|sys|tmp|workspace)(\/|$)/;

const run = promisify(execFile);

interface Found {
  readonly program: string;
  readonly base: string;
  readonly packages: readonly string[];
  readonly modules: readonly string[];
}

/**
 * The first Python with all packages of `needed`: of the active environment, of PATH, then the system's.
 * @param useful modules that a conversion can do without.
 * @throws SkeinError CONVERTER_MISSING.
 */
export async function findPython(
  env: Readonly<Record<string, string | undefined>>,
  needed: readonly PythonPackage[],
  useful: readonly string[] = [],
): Promise<MachinePython> {
  const modules = [...needed.map(({ module }) => module), ...useful];
  let seen = 0;
  for (const program of candidates(env)) {
    const found = await ask(program, modules);
    if (found === undefined) continue;
    seen++;
    if (!needed.every(({ module }) => found.modules.includes(module))) continue;
    const usable = await inSandbox(found);
    if (usable !== undefined) return usable;
  }
  const what =
    seen === 0 ? 'This machine has no Python 3, and needs' : 'No Python of this machine has';
  throw missingPackages(needed, what);
}

function candidates(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const active = [env['VIRTUAL_ENV'], env['CONDA_PREFIX']].flatMap((folder) =>
    folder === undefined || folder === '' ? [] : [join(folder, 'bin/python3')],
  );
  const path = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  const named = path.map((folder) => join(folder, 'python3'));
  return [...new Set([...active, ...named, '/usr/bin/python3'])];
}

/** Undefined for a program that is not there or that is no Python. */
async function ask(program: string, modules: readonly string[]): Promise<Found | undefined> {
  try {
    // -E: PYTHONPATH may name folders of a project, which a sandbox does not get.
    const { stdout } = await run(program, ['-E', '-c', FIND, ...modules], { timeout: FIND_MS });
    return readJson(stdout, JSON_BOUNDS.frame) as Found;
  } catch {
    return undefined;
  }
}

async function inSandbox({
  program,
  base,
  packages,
  modules,
}: Found): Promise<MachinePython | undefined> {
  const places = [...new Set([base, await realpath(base)])].filter((each) => !SYSTEM.test(each));
  if ([program, ...places].some((each) => REPLACED.test(each))) return undefined;
  const elsewhere = packages.filter(
    (each) => !SYSTEM.test(each) && places.every((place) => isOutside(relative(place, each))),
  );
  const apart = await Promise.all(
    elsewhere.map(async (folder, at) => ({
      source: await realpath(folder),
      target: `/packages/${at}`,
    })),
  );
  return {
    program,
    mounts: [...places.map((each) => ({ source: each, target: each })), ...apart],
    env: {
      PYTHONDONTWRITEBYTECODE: '1',
      ...(apart.length === 0
        ? {}
        : { PYTHONPATH: apart.map(({ target }) => target).join(delimiter) }),
    },
    modules: new Set(modules),
  };
}

/** @param what the sentence that the names of the packages end. */
export function missingPackages(needed: readonly PythonPackage[], what: string): SkeinError {
  const modules = needed.map(({ module }) => module).join(' and ');
  const debian = needed.flatMap((each) => (each.debian === undefined ? [] : [each.debian]));
  const ways = [
    ...(debian.length === needed.length ? [`\`apt-get install ${debian.join(' ')}\``] : []),
    `\`python3 -m pip install ${needed.map(({ pip }) => pip).join(' ')}\``,
  ];
  return new SkeinError(
    'CONVERTER_MISSING',
    `${what} ${modules}. ${ways.join(' or ')} installs ${needed.length === 1 ? 'it' : 'them'}.`,
  );
}
