/**
 * A virtual environment of Python that a command takes along.
 *
 * A sandbox shows the programs of its worker, not the programs of the user's folders. The packages are
 * therefore uploaded as one archive, which the job unpacks, and Python finds them by PYTHONPATH. It is the sandbox's
 * own where the environment was made with the system's; one of pyenv, uv or conda is taken along too.
 * No folder of the host is mounted, so that it needs no trust and works on any worker.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, readdir, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { LocalFile } from '@skein/api/files';
import { archiveEnd, headersOf, paddingOf } from '@skein/sandbox/archive';
import { isOutside } from '../file.ts';
import type { Context } from '../command-line/command.ts';
import { usageError } from '../command-line/usage.ts';

/** Where the command finds it. */
const PLACE = '.venv';
const ARCHIVE = '.venv.tar';
/** Unpacks it, then becomes the command. */
const UNPACK = ['sh', '-c', `tar -xf ${ARCHIVE} && exec "$0" "$@"`];
const INTERPRETER = /^python(3(\.\d+)?)?$/;
/** Packages that install others, and compiled files, which Python would make again. */
const LEFT_OUT = /(^|\/)(__pycache__|pip|pip-[^/]*\.dist-info)\//;
/** Parts of Python itself that programs do not need. */
const LEFT_OUT_OF_BASE = /\/(__pycache__|test|idlelib|config-[^/]*|site-packages)\//;
/** Folders of programs that every sandbox of this machine shows. */
const SYSTEM = /^\/(usr\/)?(bin|lib)\//;

export interface WithEnvironment {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Files of the environment, for `packed`. */
  readonly files: readonly LocalFile[];
}

/**
 * The command as the sandbox runs it, with the packages of the environment.
 * @param argv in which `python`, or a program of the environment, is the sandbox's Python.
 * @throws SkeinError USAGE when the folder has no packages of Python.
 */
export async function withEnvironment(
  cwd: string,
  folder: string,
  argv: readonly string[],
): Promise<WithEnvironment> {
  const root = resolve(cwd, folder);
  const packages = await packageFolders(root);
  const [first] = packages;
  if (first === undefined) {
    throw usageError(
      `--venv ${folder}: it is no environment of Python; it has no lib/python3.…/site-packages.`,
    );
  }
  const version = basename(dirname(first));
  const files: LocalFile[] = [];
  for (const each of packages) files.push(...(await filesOf(root, each, PLACE, LEFT_OUT)));
  const base = await baseOf(root, version);
  if (base !== undefined) files.push(...base.files);
  const python = base?.python ?? version;
  const program = await programOf(cwd, root, argv[0] ?? '');
  const places = packages.map((each) => `${PLACE}/${each}`);
  const env = { PYTHONPATH: places.join(':'), ...base?.env };
  const started = (...words: string[]) => [...UNPACK, ...words, ...argv.slice(1)];
  if (program === undefined) return { argv: started(argv[0] ?? ''), env, files };
  if (INTERPRETER.test(basename(program.file))) {
    return { argv: started(python), env, files };
  }
  const start = program.isScript ? [python, program.path] : [program.path];
  return { argv: started(...start), env, files: [...files, program] };
}

/** Lends the archive of the files; the same files give the same bytes, which are uploaded once. */
export async function packed<T>(
  files: readonly LocalFile[],
  use: (archives: readonly LocalFile[]) => Promise<T>,
): Promise<T> {
  if (files.length === 0) return use([]);
  const scratch = await mkdtemp(join(tmpdir(), 'skein-venv-'));
  try {
    const file = join(scratch, ARCHIVE);
    await pipeline(archiveOf(files), createWriteStream(file));
    return await use([{ path: ARCHIVE, file, sizeBytes: (await stat(file)).size }]);
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function* archiveOf(files: readonly LocalFile[]): AsyncGenerator<Uint8Array> {
  const folders = new Set<string>();
  for (const { path, file, sizeBytes: bytes } of files.toSorted(byPath)) {
    const executable = path.includes('/bin/');
    yield headersOf({ path, bytes, executable }, folders);
    // A file that grows meanwhile would make the archive unreadable.
    if (bytes > 0) yield* createReadStream(file, { end: bytes - 1 });
    yield paddingOf(bytes);
  }
  yield archiveEnd();
}

const byPath = (a: LocalFile, b: LocalFile): number => (a.path < b.path ? -1 : 1);

/** A note for a command of an active environment that would run without its packages. */
export async function omittedEnvironment(
  { cwd, env }: Pick<Context, 'cwd' | 'env'>,
  [word = '']: readonly string[],
): Promise<string | undefined> {
  const active = env['VIRTUAL_ENV'] ?? env['CONDA_PREFIX'];
  if (active === undefined || (await programOf(cwd, active, word)) === undefined) return undefined;
  const inside = relative(cwd, active);
  const folder = inside === '' || isOutside(inside) ? active : inside;
  return `${word} runs without the packages of ${folder}: --venv ${folder} takes them along.`;
}

/** `lib/python3.13/site-packages`, and the same in `lib64` where that is another folder. */
async function packageFolders(root: string): Promise<string[]> {
  const found = new Map<string, string>();
  for (const library of ['lib', 'lib64']) {
    const names = await readdir(join(root, library)).catch(() => []);
    for (const name of names.filter((each) => /^python3\.\d+$/.test(each))) {
      const path = `${library}/${name}/site-packages`;
      const real = await realpath(join(root, path)).catch(() => undefined);
      if (real !== undefined && !found.has(real)) found.set(real, path);
    }
  }
  return [...found.values()];
}

/** The Python that the environment was made with, when no sandbox shows it. */
async function baseOf(root: string, version: string) {
  const program = await realpath(join(root, 'bin', version)).catch(() => undefined);
  if (program === undefined || SYSTEM.test(program)) return undefined;
  const base = dirname(dirname(program));
  const place = base === (await realpath(root)) ? PLACE : `${PLACE}/base`;
  const names = await readdir(join(base, 'lib'));
  const libraries = names.filter((name) => /\.so(\.|$)/.test(name));
  const { size } = await stat(program);
  const python = `${place}/bin/${version}`;
  return {
    python,
    env: libraries.length === 0 ? {} : { LD_LIBRARY_PATH: `${place}/lib` },
    files: [
      { path: python, file: program, sizeBytes: size },
      ...(await filesOf(base, `lib/${version}`, place, LEFT_OUT_OF_BASE)),
      ...(await Promise.all(
        libraries.map(async (name) => {
          const file = join(base, 'lib', name);
          return { path: `${place}/lib/${name}`, file, sizeBytes: (await stat(file)).size };
        }),
      )),
    ],
  };
}

async function filesOf(
  root: string,
  folder: string,
  place: string,
  leftOut: RegExp,
): Promise<LocalFile[]> {
  const files: LocalFile[] = [];
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (entry.isDirectory()) continue;
    const file = join(entry.parentPath, entry.name);
    const path = `${place}/${relative(root, file)}`;
    if (leftOut.test(path)) continue;
    const info = await stat(file).catch(() => undefined);
    if (info?.isFile() === true) files.push({ path, file, sizeBytes: info.size });
  }
  return files;
}

/** The program of the environment that a word names, by its name alone or by its path. */
async function programOf(
  cwd: string,
  root: string,
  word: string,
): Promise<(LocalFile & { readonly isScript: boolean }) | undefined> {
  const bin = join(root, 'bin');
  const file = word.includes('/') ? resolve(cwd, word) : join(bin, word);
  if (word === '' || dirname(file) !== bin) return undefined;
  const info = await stat(file).catch(() => undefined);
  if (info?.isFile() !== true) return undefined;
  const path = `${PLACE}/bin/${basename(file)}`;
  return { path, file, sizeBytes: info.size, isScript: await startsWithHashBang(file) };
}

async function startsWithHashBang(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.toString('latin1') === '#!';
  } finally {
    await handle.close();
  }
}
