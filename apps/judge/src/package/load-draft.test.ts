/** Packages of version 2023-07-draft, in the shapes that its examples and tools have given them. */
import { expect, it } from 'vitest';
import { type Files, MINIMAL, packageFolder } from '../testing/package-folder.ts';
import { loadProblem } from './load-problem.ts';
import type { Problem } from './problem.ts';

const WITHOUT_TESTS: Files = Object.fromEntries(
  Object.keys(MINIMAL)
    .filter((path) => path.startsWith('data/secret/'))
    .map((path) => [path, undefined]),
);

const yaml = (lines: string): Files => ({
  'problem.yaml': `problem_format_version: 2023-07-draft\nname: Echo\nlicense: cc by-sa\nsource: Us\n${lines}`,
});

const tests = (...groups: readonly string[]): Files => ({
  ...WITHOUT_TESTS,
  ...Object.fromEntries(
    groups.flatMap((name) => [
      [`data/secret/${name}/1.in`, '1\n'],
      [`data/secret/${name}/1.ans`, '1\n'],
    ]),
  ),
});

const load = (files: Files): Promise<Problem> => loadProblem(packageFolder(files));

function rulesOf({ tests: root }: Problem): Record<string, unknown> {
  const secret = root.children.find((child) => child.name === 'secret');
  const groups = secret?.kind === 'group' ? [secret, ...secret.children] : [];
  return Object.fromEntries(
    groups.map((one) => [one.name, one.kind === 'group' ? one.rules : undefined]),
  );
}

it('reads the minimal package under the names of either version', async () => {
  const old = {
    'statement/problem.en.md': undefined,
    'problem_statement/problem.tex': '\\problemname{Echo}\n',
    'input_validators/any.py': undefined,
    'input_format_validators/any.py': 'import sys\nsys.exit(42)\n',
    'output_validators/v/v.py': 'import sys\nsys.exit(42)\n',
  };
  for (const files of [{ 'output_validator/v.py': '' }, old]) {
    const problem = await load({ ...yaml('type: pass-fail interactive\n'), ...files });
    expect(problem).toMatchObject({ version: '2025-09', type: { interactive: true } });
    expect(problem.inputValidators).toHaveLength(1);
    expect(problem.outputValidator).toBeDefined();
    expect(problem.warnings).toEqual(['problem.yaml: no uuid: the format requires one.']);
  }
});

it('splits the points that no group names, and reads the draft’s own keys', async () => {
  const problem = await load({
    ...yaml('uuid: u\ntype: scoring\n'),
    ...tests('a', 'b', 'c'),
    'data/secret/test_group.yaml': 'scoring:\n  aggregation: sum\n',
    'data/secret/a/test_group.yaml': 'scoring:\n  score: 30\n  aggregation: min\n',
    'data/secret/c/test_group.yaml':
      'scoring:\n  require_pass: secret/b\noutput_validator_args: float_tolerance 1e-6\n',
  });
  expect(rulesOf(problem)).toMatchObject({
    secret: { maxScore: 100, aggregation: 'sum' },
    'secret/a': { maxScore: 30, aggregation: 'min' },
    'secret/b': { maxScore: 35, aggregation: 'pass-fail' },
    'secret/c': { maxScore: 35, aggregation: 'pass-fail', requirePass: ['secret/b'] },
  });
  expect(JSON.stringify(problem.tests)).toContain('["float_tolerance","1e-6"]');
});

it('gives every group the whole score where the smallest one counts', async () => {
  const problem = await load({
    ...yaml('uuid: u\ntype: scoring\n'),
    ...tests('a', 'b'),
    'data/secret/test_group.yaml': 'scoring: { aggregation: min, score: 7 }\n',
  });
  expect(rulesOf(problem)).toMatchObject({
    'secret/a': { maxScore: 7 },
    'secret/b': { maxScore: 7 },
  });
});

it('warns of the legacy grading in testdata.yaml, which it does not apply', async () => {
  const problem = await load({
    ...yaml('uuid: u\ntype: scoring\n'),
    ...tests('a'),
    'data/secret/a/testdata.yaml':
      'on_reject: break\naccept_score: 1\nrange: 0 1\ninput_validator_flags: n=5\n',
  });
  expect(problem.warnings).toEqual(
    ['on_reject', 'accept_score', 'range'].map(
      (key) => `data/secret/a/testdata.yaml: ${key} is not a key of the draft and is ignored.`,
    ),
  );
  expect(JSON.stringify(problem.tests)).toContain('"inputValidatorArgs":["n=5"]');
});

it('refuses what violates the draft, by file and field', async () => {
  const files = { ...yaml('uuid: u\ntype: scoring\n'), ...tests('a') };
  const bad = { ...files, 'data/secret/a/test_group.yaml': 'scoring: { score: -1 }\n' };
  await expect(load(bad)).rejects.toThrow(/secret\/a\/test_group\.yaml: scoring\.score/);
});
