/**
 * Plants changes in a copy of the repository, and counts their files.
 *
 * CONTRIBUTING names the files of each change. Where the code needs one more, the copy fails its types or the
 * planted test, and the count differs from the page's.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLANTED_CHANGES, type Edit, type PlantedChange } from './planting/changes.ts';

const ROOT = join(import.meta.dirname, '..');
/** A folder that git ignores, on the disk of node_modules: hard links reach it. Node runs no TypeScript within node_modules. */
const COPY = join(ROOT, 'dist', `planted-${process.pid}`);
const SUFFICES = process.platform === 'linux' ? undefined : 'needs hard links to copy node_modules';
/** Types of the whole tree, on a machine that runs other tests as well. */
const LONG = 600_000;

const git = (...args: string[]): string[] =>
  execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' })
    .split('\0')
    .filter((path) => path !== '');

function inCopy(program: string, ...args: string[]): { status: number | null; output: string } {
  const bin = join(COPY, 'node_modules', '.bin', program);
  const { status, stdout, stderr } = spawnSync(bin, args, { cwd: COPY, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

/** Links node_modules file by file, so that packages of the copy find each other. */
function link(folder: string): void {
  mkdirSync(join(COPY, dirname(folder)), { recursive: true });
  execFileSync('cp', ['-al', join(ROOT, folder), join(COPY, folder)]);
}

function plant({ files, test }: PlantedChange): void {
  for (const [path, change] of [...Object.entries(files), [test.path, test.text] as const]) {
    const place = join(COPY, path);
    if (typeof change === 'string') writeFileSync(place, change);
    else writeFileSync(place, change.reduce(edited, readFileSync(place, 'utf8')));
  }
}

function edited(text: string, { before, add }: Edit): string {
  const at = text.indexOf(before);
  if (at === -1) throw new Error(`No line has: ${before}`);
  return `${text.slice(0, at)}${add.trimStart()}\n${text.slice(at)}`;
}

/** Files that CONTRIBUTING names for a change. */
function namedFor(name: string): string[] {
  const page = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const from = page.indexOf(`**${name}**`);
  if (from === -1) return [];
  const end = page.indexOf('\n**', from + 1);
  const text = page.slice(from, end === -1 ? page.indexOf('\n## ', from) : end);
  return [...text.matchAll(/`((?:packages|apps)\/[^`\s]+)`/g)].map(([, path = '']) => path);
}

const isNamed = (path: string, named: readonly string[]): boolean =>
  named.some(
    (each) =>
      each === path ||
      (each.includes('NAME') && path.startsWith(each.split('NAME')[0]!)) ||
      (each.endsWith('/') && path.startsWith(each)),
  );

describe.skipIf(SUFFICES !== undefined)('planted changes', () => {
  beforeAll(() => {
    for (const path of git('ls-files', '-z', '--cached', '--others', '--exclude-standard')) {
      mkdirSync(join(COPY, dirname(path)), { recursive: true });
      cpSync(join(ROOT, path), join(COPY, path), { verbatimSymlinks: true, force: true });
    }
    const folders = git(
      'ls-files',
      '-z',
      '--others',
      '--ignored',
      '--exclude-standard',
      '--directory',
    );
    for (const folder of folders.filter((path) => path.endsWith('node_modules/'))) {
      if (folder === 'node_modules/') continue;
      link(folder.slice(0, -1));
    }
    mkdirSync(join(COPY, 'node_modules'), { recursive: true });
    execFileSync('bash', [
      '-c',
      'shopt -s dotglob; for entry in "$1"/*; do [ "${entry##*/}" = .cache ] || cp -al "$entry" "$2/"; done',
      '-',
      join(ROOT, 'node_modules'),
      join(COPY, 'node_modules'),
    ]);
    for (const change of PLANTED_CHANGES) plant(change);
  }, LONG);
  afterAll(() => rmSync(COPY, { recursive: true, force: true }));

  it(
    'have the types of the whole tree',
    () => {
      const { status, output } = inCopy('tsc', '--noEmit');
      expect(status, output).toBe(0);
    },
    LONG,
  );

  it.each(PLANTED_CHANGES)(
    '$name: its files are the ones in CONTRIBUTING, and its test passes',
    ({ name, files, test }) => {
      const named = namedFor(name);
      expect(Object.keys(files).filter((path) => !isNamed(path, named))).toEqual([]);
      expect(Object.keys(files).length).toBeLessThanOrEqual(named.length);
      const { status, output } = inCopy('vitest', 'run', test.path);
      expect(status, output).toBe(0);
    },
    LONG,
  );
});
