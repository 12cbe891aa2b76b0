/** Problem packages at their bounds. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Face, Sent } from '../face.ts';
import { pick, type Random, repeat, size } from './grammar.ts';

const MINIMAL: Readonly<Record<string, string>> = {
  'problem.yaml':
    'problem_format_version: 2025-09\nname: Echo\nuuid: echo\nlicense: cc0\nrights_owner: Us\nlimits:\n  time_limit: 1\n  memory: 256\n',
  'statement/problem.en.md': 'Echo.\n',
  'data/sample/1.in': '1\n',
  'data/sample/1.ans': '1\n',
  'data/secret/1.in': '2\n',
  'data/secret/1.ans': '2\n',
  'input_validators/any.py': 'import sys\nsys.exit(42)\n',
  'submissions/accepted/echo.py': 'print(input())\n',
};
/** Bytes of a YAML file, and of a statement. */
const YAML_BYTES = 256 * 1024 - 1024;
const STATEMENT_BYTES = 64 * 1024 - 8;
/** YAML tokens, with a margin. */
const TOKENS = 9500;

/** Parts of a YAML value, with the number of their tokens. */
const PARTS: readonly (readonly [before: string, part: string, after: string, tokens: number])[] = [
  ['[', '1,', ']', 3],
  ['[', '[],', ']', 4],
  ['[', '{a: 1},', ']', 7],
  ['[', '!x 1,', ']', 5],
  ['[', '&a 1,', ']', 5],
  ['"', '\\u0041', '"', 0],
  ['"', 'x\n\n ', '"', 0],
  ["'", "''", "'", 0],
  ['>\n', '  x\n\n', '', 0],
  ['|\n', '  x\n', '', 0],
  ['', 'x\n  ', '', 0],
  ['', 'b:', '', 0],
  ['', '_', '', 0],
  ['', '1', '', 0],
  ['', '{{n}}', '', 0],
  ['!', 'x', ' 1', 0],
  ['\n', '  - a\n', '', 5],
  ['\n', '  ? a\n', '', 5],
  ['\n', ' #\n', '', 3],
  ['\n', '  ka: 1\n', '', 7],
];

function yaml(random: Random, bytes = YAML_BYTES): string {
  const [before, part, after, tokens] = pick(random, PARTS);
  const most = Math.min(bytes / part.length, tokens === 0 ? Infinity : TOKENS / tokens);
  const numbered = part.replace(/a/g, () => `a${Math.floor(random() * 1e6)}`);
  const count = size(random, Math.floor(most));
  const isKeys = part.includes('a: ') || part.includes('? a');
  const parts = isKeys
    ? repeat(count, (index) => part.replaceAll('a', `a${index}`)).join('')
    : (random() < 0.5 ? part : numbered).repeat(count);
  return `${before}${parts}${after}`.slice(0, bytes);
}

/** Parts of Markdown and formulas that open, nest, or are searched for. */
const MARKS = [
  '*',
  '**a',
  '[',
  '![',
  '](',
  '`',
  '``a',
  '> ',
  '- ',
  '1. ',
  '# ',
  '|',
  '| a ',
  '$',
  '$a$',
  '$$',
  '\\frac{',
  '{',
  '}',
  '^',
  '_',
  '\\left(',
  '\\sqrt{',
  '\\begin{matrix}',
  '&',
  '\\\\',
  '<',
  '<a ',
  '[^1]',
  '^[a',
  '[a]: b\n',
  '\n',
  '\n\n',
  'a',
  '{{n}}',
  '{{nextsample}}',
  '\\def\\a{\\a\\a}\\a ',
  'ü',
  '~~',
  '&amp;',
];

function statement(random: Random): string {
  const part = repeat(size(random, 4), () => pick(random, MARKS)).join('');
  const [open, close] = pick(random, [
    ['', ''],
    ['$', '$'],
    ['$$', '$$'],
    ['| a |\n| - |\n', ''],
  ]);
  const left = STATEMENT_BYTES - open.length - close.length;
  const count = size(random, Math.floor(left / Buffer.byteLength(part)));
  return `${open}${part.repeat(count)}${close}`;
}

function packaged(random: Random): Sent {
  const what = pick(random, [
    'problem.yaml',
    'submissions',
    'groups',
    'statement',
    'files',
    'cases',
  ]);
  const files: Record<string, string> = { ...MINIMAL };
  const many = size(random, 2000);
  if (what === 'problem.yaml')
    files[what] +=
      `${pick(random, ['keywords', 'unknown', 'constants', 'credits', 'languages'])}: ${yaml(random)}\n`;
  if (what === 'submissions')
    files['submissions/submissions.yaml'] = `accepted/echo.py: ${yaml(random)}`;
  if (what === 'groups')
    files['data/secret/test_group.yaml'] =
      `${pick(random, ['args', 'output_validator_args', 'unknown'])}: ${yaml(random)}`;
  if (what === 'statement') files['statement/problem.en.md'] = statement(random);
  if (what === 'files')
    for (let at = 0; at < many; at++) files[`submissions/accepted/s${at}.py`] = '';
  if (what === 'cases') {
    const each = yaml(random, YAML_BYTES / 4);
    for (let at = 0; at < Math.min(many, 300); at++) {
      files[`data/secret/c${at}.in`] = files[`data/secret/c${at}.ans`] = '1\n';
      if (at < 20) files[`data/secret/c${at}.yaml`] = `args: ${each}`;
    }
  }
  return {
    what,
    bytes: Object.values(files).reduce((sum, each) => sum + each.length, 0),
    async send({ readerUrl }) {
      const folder = await mkdtemp(join(tmpdir(), 'skein-package-'));
      try {
        for (const [path, content] of Object.entries(files)) {
          await mkdir(dirname(join(folder, 'echo', path)), { recursive: true });
          await writeFile(join(folder, 'echo', path), content);
        }
        const asked = { method: 'POST', body: join(folder, 'echo') };
        return await (await fetch(readerUrl, asked)).text();
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

export const packageFaces: readonly Face[] = [{ name: 'package', place: 'reader', make: packaged }];
