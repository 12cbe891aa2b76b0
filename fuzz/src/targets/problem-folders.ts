/**
 * A whole problem package, as a JSON object of its files. It is read from memory, thousands a second; some are
 * written to the disk as well, and must be read from there with the same result.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { invalid } from '../../../apps/judge/src/package/invalid.ts';
import { loadProblem, readProblem } from '../../../apps/judge/src/package/load-problem.ts';
import {
  listPackage,
  type PackageFiles,
} from '../../../apps/judge/src/package/archive/package-folder.ts';
import type { Problem } from '../../../apps/judge/src/package/problem.ts';
import { showMarkdown } from '../../../apps/judge/src/statement/markdown.ts';
import { COUNTDOWN, DOUBLE } from '../../../apps/judge/src/testing/domjudge-packages.ts';
import { bytesInput } from '../engine/bytes.ts';
import { jsonInput } from '../engine/json.ts';
import type { Target } from '../engine/target.ts';
import { CURRENT, isProblemError, LEGACY } from './archives.ts';

/** One input in so many is also written to the disk, which takes fifty times as long. */
const WRITTEN_EVERY = 64;
/** Bytes of a name, and of a path with the folder before it, on Linux. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4096;

type Tree = Map<string, Tree | Uint8Array>;

export function openProblemFolders(): Target {
  const folder = mkdtempSync(join(tmpdir(), 'skein-fuzz-problem-'));
  const root = join(folder, 'echo');
  let count = 0;
  return {
    seeds: packages().map((files) => Buffer.from(JSON.stringify(files))),
    structure: jsonInput([
      '{a,b}{c,d}{e,f}{g,h}',
      '&a [*a]',
      'x: &x [a]\ny: [*x, *x]\n',
      '../up',
      'a/../../b',
      '{{n}}',
      '\u0000',
      '*'.repeat(40),
      'timelimit="1\n',
      "name = 'a",
      'special_compare=x\n',
      '? '.repeat(32),
    ]),
    refuses: isProblemError,
    async run(input) {
      const files = parsed(input);
      if (files === undefined) return;
      const tree: Tree = new Map();
      for (const [path, content] of Object.entries(files)) add(tree, root, path, content);
      const read = (): Promise<Problem> => listPackage(filesInMemory(root, tree)).then(readProblem);
      if (count++ % WRITTEN_EVERY > 0) return void (await read());
      rmSync(root, { recursive: true, force: true });
      mkdirSync(root);
      write(root, tree);
      const [memory, disk] = await Promise.all([read(), loadProblem(root)].map(outcomeOf));
      if (!isDeepStrictEqual(memory, disk)) throw new Error('the disk gives another problem');
      if (memory instanceof Error) throw memory;
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The Markdown of a statement, which a judge renders when it starts. */
export function openProblemStatements(): Target {
  const seeds = [
    '# A\n\n$a_1 + \\frac{b}{c}$ and [^1]\n\n[^1]: note\n\n| a | b |\n| - | - |\n| 1 | 2 |\n',
    '![x](x.png) {{n}} <b> `c` **d** $$\\sum_{i=1}^n i$$\n\n{{nextsample}}\n',
  ];
  const words = ['{', '\\left(', '\\begin{matrix}', '![', '^[a', '[^1]', '$', '> ', '{{n}}'];
  const dictionary = words.flatMap((word) => [word, word.repeat(64), word.repeat(2048)]);
  const constants = new Map([['n', '{{n}}'.repeat(20)]]);
  return {
    seeds: seeds.map((text) => Buffer.from(text)),
    structure: bytesInput(dictionary),
    refuses: isProblemError,
    run: (input) =>
      void showMarkdown('problem.md', Buffer.from(input).toString(), constants, () => '/x'),
  };
}

function packages(): readonly object[] {
  const shared = {
    'data/sample/1.in': '1\n',
    'data/sample/1.ans': '1\n',
    'data/secret/1.in': '2\n',
    'data/secret/1.ans': '2\n',
    'input_validators/any.py': 'import sys\nsys.exit(42)\n',
    'submissions/accepted/echo.py': 'print(input())\n',
  };
  return [
    COUNTDOWN,
    DOUBLE,
    {
      'problem.yaml': CURRENT.replace(', interactive', ''),
      'statement/problem.en.md': 'Echo.\n',
      ...shared,
      'data/secret/test_group.yaml': 'scoring: {aggregation: sum, score: 10}\n',
      'data/secret/a/test_group.yaml':
        'require_pass: sample\noutput_validator_args: [case_sensitive]\n',
      'data/secret/a/2.in': '3',
      'data/secret/a/2.ans': '3',
      'data/secret/a/2.yaml': 'args: [a]\n',
      'submissions/submissions.yaml':
        'accepted/echo.py:\n  language: python3\n  "*/{a,b}*": {permitted: [AC]}\n',
    },
    {
      'problem.yaml': LEGACY.replace('custom interactive', 'default'),
      'problem_statement/problem.tex': 'x',
      ...shared,
      'data/secret/testdata.yaml': 'on_reject: break\ngrading: default\nrange: 0 10\n',
    },
  ];
}

function parsed(input: Uint8Array): object | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(input).toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Adds a file as a file system does: not below a file, over a folder, or under a name that it cannot have. */
function add(tree: Tree, root: string, path: string, content: unknown): void {
  const target = join(root, path);
  if (!target.startsWith(`${root}/`) || path.includes('\0')) return;
  if (Buffer.byteLength(target) >= MAX_PATH_BYTES) return;
  // Bytes that are no character are stored as the replacement character.
  const names = Buffer.from(target.slice(root.length + 1))
    .toString()
    .split('/');
  const name = names.pop()!;
  let at = tree;
  for (const folder of names) {
    if (Buffer.byteLength(folder) > MAX_NAME_BYTES) return;
    const next = at.get(folder) ?? new Map();
    if (!(next instanceof Map)) return;
    at.set(folder, next);
    at = next;
  }
  if (name === '' || Buffer.byteLength(name) > MAX_NAME_BYTES || at.get(name) instanceof Map)
    return;
  at.set(name, new Uint8Array(Buffer.from(typeof content === 'string' ? content : '')));
}

function filesInMemory(root: string, tree: Tree): PackageFiles {
  const find = (path: string): Tree | Uint8Array => {
    let at: Tree | Uint8Array = tree;
    for (const name of path === '' ? [] : path.split('/')) at = (at as Tree).get(name)!;
    return at;
  };
  return {
    root,
    names: async (folder) => [...(find(folder) as Tree).keys()],
    async look(path) {
      const found = find(path);
      const isFolder = found instanceof Map;
      const sizeBytes = isFolder ? 0 : found.length;
      const real = join(root, path);
      return { kind: isFolder ? 'folder' : 'file', real, sizeBytes, executable: false };
    },
    async read(path, maxBytes) {
      const bytes = find(path) as Uint8Array;
      if (bytes.length <= maxBytes) return bytes;
      throw invalid(path, `it has ${bytes.length} bytes`);
    },
  };
}

function write(folder: string, tree: Tree): void {
  for (const [name, entry] of tree) {
    const path = join(folder, name);
    if (entry instanceof Map) {
      mkdirSync(path);
      write(path, entry);
    } else writeFileSync(path, entry);
  }
}

/** The problem, or its refusal; names that are ignored come in the order of the file system. */
function outcomeOf(problem: Promise<Problem>): Promise<object> {
  return problem.then(
    (read) => ({ ...read, warnings: read.warnings.toSorted() }),
    (error: unknown) => {
      if (!isProblemError(error)) throw error;
      return error as Error;
    },
  );
}
