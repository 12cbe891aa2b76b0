import { symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Files, MINIMAL, MINIMAL_LEGACY, packageFolder } from '../testing/package-folder.ts';
import { loadProblem } from './load-problem.ts';
import { casesOf, testsOf } from './problem.ts';

const load = (files: Files, base?: Files) => loadProblem(packageFolder(files, base));
const yaml = (lines: string): Files => ({ 'problem.yaml': `${MINIMAL['problem.yaml']}${lines}` });
const scoring = (files: Files): Files => ({ ...yaml('type: scoring\n'), ...files });

describe('a package of version 2025-09', () => {
  it('is read with the defaults of the format', async () => {
    const problem = await load({});
    expect(problem).toMatchObject({
      shortName: 'echo',
      names: { en: 'Echo' },
      type: { scoring: false, interactive: false, multiPass: false, submitAnswer: false },
      limits: {
        timeMs: 1000,
        multipliers: { acToTimeLimit: 2, timeLimitToTle: 1.5 },
        memoryBytes: 256 * 2 ** 20,
        outputBytes: 8 * 2 ** 20,
        codeBytes: 128 * 2 ** 10,
        compilationMs: 60_000,
      },
      warnings: [],
    });
    const names = [...casesOf(problem.tests)].map((item) => item.name);
    expect(names).toEqual(['sample/1', 'secret/1', 'secret/2']);
  });

  it('is read with a warning for each file of its tests that belongs to none', async () => {
    const { warnings } = await load({
      'data/secret/3.ans': '3\n',
      'data/secret/testdata.yaml': 'output_validator_args: [case_sensitive]\n',
      'data/secret/1.yaml': 'hint: small\n',
      'data/secret/1.files/own.yaml': '',
      'data/secret/test_group.yaml': 'full_feedback: true\n',
    });
    expect(warnings).toEqual([
      'data/secret/3.ans is ignored: there is no test data/secret/3.in.',
      'data/secret/testdata.yaml is ignored: there is no test data/secret/testdata.in; the rules of a group are in test_group.yaml.',
    ]);
  });

  it.each<[string, Files, RegExp]>([
    [
      'a mistyped argument of the default validator',
      { 'data/secret/1.yaml': 'output_validator_args: [float_tolerence, "1e-6"]\n' },
      /data\/secret\/1: output_validator_args: the default validator has no flag "float_tolerence"/,
    ],
    ['an unknown type', yaml('type: pass-fail magic\n'), /problem\.yaml: type/],
    [
      'a limit of the wrong type',
      { 'problem.yaml': MINIMAL['problem.yaml']?.replace('memory: 256', 'memory: lots') },
      /limits\.memory/,
    ],
    [
      'a negative limit',
      { 'problem.yaml': MINIMAL['problem.yaml']?.replace('memory: 256', 'memory: -1') },
      /limits\.memory/,
    ],
    [
      'types that exclude each other',
      yaml('type: [submit-answer, interactive]\n'),
      /interactive and submit-answer exclude/,
    ],
    ['a type twice', yaml('type: [scoring, scoring]\n'), /type: a value comes twice/],
    ['passes of a problem with one', yaml('  validation_passes: 3\n'), /limits\.validation_passes/],
    [
      'an embargo until a day that no month has',
      { 'problem.yaml': `embargo_until: 2026-02-30\n${MINIMAL['problem.yaml']}` },
      /embargo_until: there is no such date/,
    ],
    ['invalid YAML', { 'problem.yaml': 'a: [\n' }, /problem\.yaml/],
    [
      'the names of 2025-09 without its version',
      { 'problem.yaml': 'name: Echo\n' },
      /problem_format_version: without it the package is legacy/,
    ],
    ['a key twice', yaml('name: Again\n'), /problem\.yaml: .*unique/i],
    ['no uuid', { 'problem.yaml': 'problem_format_version: 2025-09\nname: Echo\n' }, /uuid/],
    [
      'a name without a statement',
      {
        'problem.yaml': MINIMAL['problem.yaml']?.replace('name: Echo', 'name: {en: Echo, sv: Eko}'),
      },
      /name\.sv/,
    ],
    ['a statement without a name', { 'statement/problem.sv.md': 'Eko.\n' }, /problem\.sv\.md/],
    ['no statement', { 'statement/problem.en.md': undefined }, /statement: there is no/],
    ['no answer file', { 'data/secret/2.ans': undefined }, /data\/secret\/2\.ans: .*missing/],
    [
      'no secret test',
      { 'data/secret/1.in': undefined, 'data/secret/2.in': undefined },
      /data\/secret: it holds no test/,
    ],
    [
      'tests next to groups',
      { 'data/secret/g/1.in': '', 'data/secret/g/1.ans': '' },
      /one or the other/,
    ],
    [
      'no accepted submission',
      { 'submissions/accepted/echo.py': undefined, 'submissions/rejected/echo.py': '' },
      /submissions\/accepted/,
    ],
    [
      'points in a pass-fail problem',
      { 'data/secret/test_group.yaml': 'max_score: 1\n' },
      /secret\/test_group\.yaml: max_score/,
    ],
    [
      'points for samples',
      scoring({ 'data/sample/test_group.yaml': 'score_aggregation: sum\n' }),
      /sample\/test_group\.yaml: score_aggregation/,
    ],
    [
      'a group without a bound',
      scoring({ ...group('score_aggregation: sum\n') }),
      /g\/test_group\.yaml: max_score/,
    ],
    [
      'a group that requires a later one',
      scoring({ ...group('max_score: 1\nrequire_pass: secret/z\n') }),
      /require_pass: secret\/z/,
    ],
    [
      'a group that requires none',
      scoring({ ...group('max_score: 1\nrequire_pass: secret/a\n') }),
      /require_pass: no group secret\/a/,
    ],
    [
      'an interactive problem without a validator',
      yaml('type: interactive\n'),
      /output_validator: an interactive problem/,
    ],
    [
      'static validation without a validator',
      scoring({ 'data/secret/test_group.yaml': 'static_validation_score: 5\n' }),
      /static_validation_score/,
    ],
    [
      // The tests of the group would have less than no points.
      'static validation with more points than its group',
      scoring({
        'static_validator/validate.py': 'import sys\nsys.exit(42)\n',
        'data/secret/test_group.yaml':
          'max_score: 10\nscore_aggregation: sum\nstatic_validation_score: 20\n',
      }),
      /static_validation_score: more than the max_score of 10/,
    ],
    [
      'an unknown verdict',
      { 'submissions/submissions.yaml': 'accepted:\n  permitted: [OK]\n' },
      /submissions\.yaml: accepted\.permitted/,
    ],
  ])('with %s is refused by file and field', async (_what, files, message) => {
    await expect(load(files)).rejects.toMatchObject({ code: 'PROBLEM_INVALID' });
    await expect(load(files)).rejects.toThrow(message);
  });

  it('is refused for a statement that no page can show', async () => {
    const folder = packageFolder({});
    writeFileSync(
      join(folder, 'statement/problem.en.md'),
      Buffer.from('d\u00E9j\u00E0 vu', 'latin1'),
    );
    await expect(loadProblem(folder)).rejects.toThrow(/problem\.en\.md: it is not UTF-8/);
  });

  it('gives the texts that are shown in the place of a test’s input and answer', async () => {
    const { tests } = await load({
      'data/sample/1.out': '1\n',
      'data/secret/1.in.statement': '…\n',
      'data/secret/1.ans.statement': '…\n',
    });
    expect(testsOf(tests).map(({ shown }) => shown)).toEqual([
      { input: 'data/sample/1.in', answer: 'data/sample/1.out' },
      { input: 'data/secret/1.in.statement', answer: 'data/secret/1.ans.statement' },
      { input: 'data/secret/2.in', answer: 'data/secret/2.ans' },
    ]);
  });

  it('of another version is refused by name', async () => {
    await expect(
      load({ 'problem.yaml': 'problem_format_version: 2031-01\n' }),
    ).rejects.toMatchObject({
      code: 'PROBLEM_UNSUPPORTED',
      message: expect.stringContaining('2031-01'),
    });
  });

  it('may have its types in one string', async () => {
    const files = { ...yaml('type: scoring multi-pass\n'), 'output_validator/v.py': '' };
    expect(await load({ ...files, ...group('max_score: 100\n') })).toMatchObject({
      type: { scoring: true, multiPass: true, interactive: false },
    });
  });

  it('with unknown keys is read, and each is named in a warning', async () => {
    const { warnings, limits } = await load({
      'problem.yaml': `${MINIMAL['problem.yaml']}  time_for_AC: 3
source_url: https://contest.example
source: { name: Contest, year: 2024 }
credits:
  authors: [{ name: A, nick: a }]
  critics: B
`,
    });
    const keys = warnings.map((warning) => /^problem\.yaml: (\S+) is not a key/.exec(warning)?.[1]);
    expect(new Set(keys)).toEqual(
      new Set([
        'credits.authors.0.nick',
        'credits.critics',
        'limits.time_for_AC',
        'source.year',
        'source_url',
      ]),
    );
    expect(limits.timeMs).toBe(1000);
  });

  it('may have names that end as C++ does', async () => {
    const problem = await load({ 'submissions/accepted/a.c++': 'int main() {}\n' });
    expect(problem.examples.map(({ name }) => name)).toContain('accepted/a.c++');
    expect(problem.warnings).toEqual([]);
  });

  it('hands arguments from the secret folder to groups and from groups to tests', async () => {
    const problem = await load(
      scoring({
        ...group('max_score: 100\nargs: [g]\n'),
        'data/secret/test_group.yaml': 'output_validator_args: [case_sensitive]\nargs: [s]\n',
        'data/secret/g/1.yaml': 'args: [t]\nhint: Think.\n',
      }),
    );
    const tests = [...casesOf(problem.tests)];
    expect(tests.find((test) => test.name === 'secret/g/1')).toMatchObject({
      args: ['t'],
      hint: 'Think.',
      outputValidatorArgs: ['case_sensitive'],
    });
    expect(tests.find((test) => test.name === 'secret/g/2')).toMatchObject({ args: ['g'] });
  });

  it('inserts constants into programs and keeps other braces', async () => {
    const problem = await load({
      ...yaml('constants:\n  n: 10\n'),
      'submissions/accepted/echo.py': 'print("{{n}} {{m}} {n}")\n',
    });
    const [file] = problem.examples[0]?.program.files ?? [];
    expect(new TextDecoder().decode(file?.content)).toBe('print("10 {{m}} {n}")\n');
  });

  it('refuses constants that make a program too large', async () => {
    const long = 'x'.repeat(2 ** 16);
    const files = {
      ...yaml(`constants:\n  n: ${long}\n`),
      'submissions/accepted/long.py': '{{n}}'.repeat(10_000),
    };
    await expect(load(files)).rejects.toMatchObject({
      code: 'PROBLEM_INVALID',
      message: expect.stringContaining('constants') as string,
    });
  });

  it('may have links inside, and none to the outside', async () => {
    const folder = packageFolder({});
    symlinkSync('1.in', join(folder, 'data/secret/3.in'));
    symlinkSync('1.ans', join(folder, 'data/secret/3.ans'));
    expect([...casesOf((await loadProblem(folder)).tests)]).toHaveLength(4);
    symlinkSync('/etc/hostname', join(folder, 'data/secret/4.in'));
    await expect(loadProblem(folder)).rejects.toThrow(
      'data/secret/4.in: the symbolic link leads out',
    );
  });

  it('refuses a file that is too large to be read', async () => {
    const folder = packageFolder({});
    // Sparse: it takes no space.
    truncateSync(join(folder, 'data/secret/1.in'), 2 ** 31);
    await expect(loadProblem(folder)).rejects.toThrow(
      'data/secret/1.in: it has 2147483648 bytes; a file may have 2147483647',
    );
  });

  it('refuses a cycle of links', async () => {
    const folder = packageFolder({});
    symlinkSync('.', join(folder, 'attachments'));
    await expect(loadProblem(folder)).rejects.toThrow(/cycle/);
  });

  it('refuses an alias bomb', async () => {
    const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefghi'
      .split('')
      .map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(', ')}]\n`)
      .join('')}`;
    await expect(load({ 'problem.yaml': bomb })).rejects.toMatchObject({ code: 'PROBLEM_INVALID' });
  });
});

function group(config: string): Files {
  return {
    'data/secret/1.in': undefined,
    'data/secret/1.ans': undefined,
    'data/secret/2.in': undefined,
    'data/secret/2.ans': undefined,
    'data/secret/g/1.in': '1\n',
    'data/secret/g/1.ans': '1\n',
    'data/secret/g/2.in': '1\n',
    'data/secret/g/2.ans': '1\n',
    'data/secret/g/test_group.yaml': config,
  };
}

describe('a legacy package', () => {
  it('is read with the defaults of the format', async () => {
    const problem = await load({}, MINIMAL_LEGACY);
    expect(problem).toMatchObject({
      version: 'legacy',
      limits: { timeMs: undefined, multipliers: { acToTimeLimit: 5, timeLimitToTle: 2 } },
      outputValidator: undefined,
    });
  });

  it('gives each group the settings of its nearest ancestor', async () => {
    const problem = await load(
      {
        'problem.yaml': `${MINIMAL_LEGACY['problem.yaml']}type: scoring\nvalidator_flags: float_tolerance 1e-6\n`,
        'data/testdata.yaml': 'on_reject: continue\nrange: -inf +inf\n',
        'data/secret/testdata.yaml': 'grader_flags: min\naccept_score: 10\nrange: 0 30\n',
        'data/secret/a/1.in': '',
        'data/secret/a/1.ans': '',
      },
      MINIMAL_LEGACY,
    );
    const secret = problem.tests.children.find((child) => child.name === 'secret');
    const nested =
      secret?.kind === 'group' ? secret.children.find((one) => one.name === 'secret/a') : undefined;
    expect(nested).toMatchObject({
      rules: { onReject: 'break', graderFlags: ['min'], acceptScore: 10, range: [0, 30] },
      children: [{ outputValidatorArgs: ['float_tolerance', '1e-6'] }],
    });
    expect(problem.tests.rules).toMatchObject({ onReject: 'continue' });
  });

  it.each<[string, Files, RegExp]>([
    [
      'an unknown validation',
      { 'problem.yaml': 'validation: magic\n' },
      /validation: must begin with/,
    ],
    [
      'a scoring validator of a pass-fail problem',
      { 'problem.yaml': 'validation: custom score\n' },
      /needs type: scoring/,
    ],
    ['an invalid range', { 'data/testdata.yaml': 'range: 5 1\n' }, /range: "5 1"/],
    [
      'a custom grading without a grader',
      { 'data/testdata.yaml': 'grading: custom\n' },
      /graders: /,
    ],
  ])('with %s is refused by file and field', async (_what, files, message) => {
    await expect(load(files, MINIMAL_LEGACY)).rejects.toThrow(message);
  });

  it('warns of keys that the format does not have', async () => {
    const problem = await load(
      { 'problem.yaml': 'limits:\n  time_for_AC_submissions: 3\n' },
      MINIMAL_LEGACY,
    );
    expect(problem.warnings).toContainEqual(
      expect.stringContaining('limits.time_for_AC_submissions'),
    );
  });
});
