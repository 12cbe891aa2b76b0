/** A package may not make its reader hang, recurse without end, or hold any amount of memory. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Files, MINIMAL, MINIMAL_LEGACY, packageFolder } from '../testing/package-folder.ts';
import { listPackage, type PackageFiles } from './archive/package-folder.ts';
import { loadProblem } from './load-problem.ts';
import { testsOf } from './problem.ts';
import { showMarkdown } from '../statement/markdown.ts';

const load = (files: Files, base?: Files) => loadProblem(packageFolder(files, base));

// Each of the refused would take seconds to hours, or more stack than there is.
describe('a YAML file', () => {
  it.each<[string, string, RegExp]>([
    ['explicit keys in keys', '? '.repeat(600), /nested more than 16 deep/],
    ['sequences on a line', '- '.repeat(5000), /nested more than 16 deep/],
    [
      'maps by indentation',
      Array.from({ length: 40 }, (_, at) => `${' '.repeat(at)}a:\n`).join(''),
      /nested more than 16 deep/,
    ],
    ['brackets', '['.repeat(100_000), /nested more than 16 deep/],
    ['maps in brackets', '{a: '.repeat(20_000), /nested more than 16 deep/],
    [
      'keys',
      Array.from({ length: 20_000 }, (_, at) => `k${at}: 1\n`).join(''),
      /more than 10000 YAML tokens/,
    ],
    ['errors', ']'.repeat(60_000), /more than 10000 YAML tokens/],
    ['aliases of a scalar', `a: &a 1\nb: [${'*a,'.repeat(40_000)}]\n`, /YAML tokens/],
    ['text', `name: ${'x'.repeat(2 ** 19)}\n`, /it has 524295 characters/],
    ['bytes', `name: ${'x'.repeat(2 ** 21)}\n`, /problem\.yaml: it has \d+ bytes/],
  ])('of many %s is refused', async (_what, text, message) => {
    await expect(load({ 'problem.yaml': text })).rejects.toThrow(message);
  });

  it('is bounded behind its constants', async () => {
    const files = {
      'problem.yaml': `${MINIMAL['problem.yaml']}constants: { n: "${'- '.repeat(1000)}" }\n`,
      'data/secret/test_group.yaml': 'args: {{n}}\n',
    };
    await expect(load(files)).rejects.toThrow(/test_group\.yaml: .*nested/);
  });

  it('may be as deep and as long as packages are', async () => {
    const entries = Array.from(
      { length: 250 },
      (_, at) =>
        `accepted/s${at}.py:\n  authors:\n    - A\n  "*/{a,b}":\n    permitted: [AC]\n    required: [AC]\n`,
    );
    const files = { 'submissions/submissions.yaml': entries.join('') };
    expect((await load(files)).examples).toHaveLength(1);
  });
});

it('refuses more patterns than its submissions can be compared with', async () => {
  const names = Array.from({ length: 200 }, (_, at) => `submissions/accepted/s${at}.py`);
  const alternatives = '{a,b,c,d,e,f,g,h,i,j}{a,b,c,d,e,f,g,h,i,j}';
  const files = {
    ...Object.fromEntries(names.map((name) => [name, ''])),
    'submissions/submissions.yaml': Array.from(
      { length: 200 },
      (_, at) => `"${alternatives}${at}": { language: python3 }\n`,
    ).join(''),
  };
  await expect(load(files)).rejects.toThrow(/submissions\.yaml: \d+ patterns for \d+ submissions/);
});

it('splits the flags of a legacy group once, for all of its tests', async () => {
  const yaml = `${MINIMAL_LEGACY['problem.yaml']}validator_flags: case_sensitive\n`;
  const files = {
    'problem.yaml': yaml,
    'data/testdata.yaml': 'output_validator_flags: float_tolerance 1e-6\n',
    'data/secret/a/1.in': '',
    'data/secret/a/1.ans': '',
  };
  const args = testsOf((await load(files, MINIMAL_LEGACY)).tests).map(
    (test) => test.outputValidatorArgs,
  );
  expect(args[0]).toEqual(['case_sensitive', 'float_tolerance', '1e-6']);
  expect(new Set(args).size).toBe(1);
});

describe('a folder', () => {
  const inMemory = (files: Partial<PackageFiles>): PackageFiles => ({
    root: '/p',
    names: async () => [],
    look: async (real) => ({ kind: 'file', real, sizeBytes: 1, executable: false }),
    read: async () => new Uint8Array(),
    ...files,
  });

  it('of links to folders of links is refused', async () => {
    const files = inMemory({
      names: async (at) => (at.length < 30 ? ['a', 'b', 'c'] : []),
      look: async (real) => ({ kind: 'folder', real, sizeBytes: 0, executable: false }),
    });
    await expect(listPackage(files)).rejects.toThrow(/more than 50000 files/);
  });

  it('is refused when its programs take too much memory in all', async () => {
    const bytes = new Uint8Array(30 * 2 ** 20);
    const folder = await listPackage(
      inMemory({ names: async () => ['a.py'], read: async () => bytes }),
    );
    for (let count = 0; count < 8; count++) await folder.read('a.py', bytes.length);
    await expect(folder.read('a.py', bytes.length)).rejects.toThrow(/in all/);
  });

  it('gives what is below a folder as a search of all its files does', async () => {
    const name = fc.constantFrom('a', 'a.b', 'a-', 'a0', 'b', 'b+', '_');
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(path), path, async (paths, at) => {
        const kindOf = (real: string) =>
          paths.some((one) => one.startsWith(`${real}/`)) ? 'folder' : 'file';
        const namesIn = (of: string) =>
          new Set(
            paths
              .filter((one) => of === '' || one.startsWith(`${of}/`))
              .map((one) => one.slice(of === '' ? 0 : of.length + 1).split('/')[0]!),
          );
        const folder = await listPackage(
          inMemory({
            names: async (of) => [...namesIn(of)],
            look: async (real) => ({ kind: kindOf(real), real, sizeBytes: 1, executable: false }),
          }),
        );
        const slow = folder.entries.filter((entry) => entry.path.startsWith(`${at}/`));
        expect(folder.under(at)).toEqual(slow);
      }),
    );
  });
});

it.each<[string, string, RegExp]>([
  ['long', 'a\n'.repeat(2 ** 16), /it has 131072 characters; Markdown may have 65536/],
  ['long behind its constants', '{{n}}'.repeat(100), /characters; Markdown may have/],
])('refuses a statement that is too %s', (_what, text, message) => {
  const constants = new Map([['n', 'x'.repeat(1000)]]);
  expect(() => showMarkdown('problem.md', text, constants, () => undefined)).toThrow(message);
});
