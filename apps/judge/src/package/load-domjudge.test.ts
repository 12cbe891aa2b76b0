/** Packages of the legacy format with DOMjudge's files, and of 2023-07 as problemtools writes it. */
import { expect, it } from 'vitest';
import { COUNTDOWN, DOUBLE } from '../testing/domjudge-packages.ts';
import { type Files, MINIMAL, MINIMAL_LEGACY, packageFolder } from '../testing/package-folder.ts';
import { loadProblem } from './load-problem.ts';

const load = (files: Files, base: Files = {}) => loadProblem(packageFolder(files, base));
const INI = 'domjudge-problem.ini';

it('reads a multi-pass and an interactive package of DOMjudge', async () => {
  expect(await load(COUNTDOWN)).toMatchObject({
    version: 'legacy',
    names: { en: 'Countdown' },
    type: { multiPass: true, interactive: false, scoring: false },
    limits: { timeMs: 2000, validationPasses: 4 },
    statements: [{ language: 'en', format: 'pdf', path: 'problem.pdf' }],
    outputValidator: { name: 'output_validator' },
    inputValidators: [{ name: 'input_validator/any.py' }],
    warnings: ['submissions/mixed: not a directory of the format; it is ignored.'],
  });
  expect(await load(DOUBLE)).toMatchObject({
    type: { multiPass: false, interactive: true },
    limits: { timeMs: 2000, validationPasses: 1 },
    outputValidator: { name: 'output_validators/double' },
    warnings: [],
  });
});

it.each<[string, string, object]>([
  ['pass-fail interactive multi-pass', '', { interactive: true, multiPass: true }],
  ['[scoring, multi-pass]', '', { scoring: true, multiPass: true }],
  ['scoring', 'custom score multi-pass', { scoring: true, multiPass: true }],
])('reads type: %s with validation: %s in a legacy package', async (type, validation, expected) => {
  const yaml = `type: ${type}\n${validation === '' ? '' : `validation: ${validation}\n`}`;
  const problem = await load({ ...COUNTDOWN, 'problem.yaml': yaml });
  expect(problem).toMatchObject({ type: expected, limits: { validationPasses: 2 } });
  expect(problem.outputValidator).toBeDefined();
});

it('takes the name and the time limit of the settings where problem.yaml has none', async () => {
  const settings =
    '; a comment\n[problem]\nname = "Echo\n again" ; two lines\ntimelimit=1.5\ncolor = #ff0000\nspecial_compare=compare\n';
  const problem = await load({ 'problem.yaml': '', [INI]: settings }, MINIMAL_LEGACY);
  expect(problem).toMatchObject({
    names: { en: 'Echo\n again' },
    limits: { timeMs: 1500 },
    warnings: [
      `${INI}: color is a setting of DOMjudge and is ignored.`,
      `${INI}: special_compare is a setting of DOMjudge and is ignored.`,
    ],
  });
  const yaml = 'name: Echo\nlimits: { time_limit: 3 }\n';
  const both = await load({ 'problem.yaml': yaml, [INI]: settings }, MINIMAL_LEGACY);
  expect(both).toMatchObject({ names: { en: 'Echo' }, limits: { timeMs: 3000 } });
  expect(both.warnings).toContainEqual(expect.stringContaining('timelimit is ignored'));
});

it.each<[string, Files, RegExp]>([
  [
    'a .timelimit that contradicts problem.yaml',
    { '.timelimit': '2', 'problem.yaml': 'limits: { time_limit: 3 }\n' },
    /^\.timelimit: it has 2 seconds, but the other limit is 3 seconds/,
  ],
  ['a .timelimit that is no number', { '.timelimit': '1e3' }, /^\.timelimit: .*"1e3"/],
  ['a time limit of nothing', { [INI]: 'timelimit=0\n' }, /ini: the time limit "0"/],
  ['too large settings', { [INI]: 'a=b\n'.repeat(2 ** 15) }, /ini: it has 131072 bytes/],
  ['a program of a server', { [INI]: 'special_compare=geo_cmp\n' }, /"geo_cmp" is a program of/],
  [
    'custom validation without a validator',
    { 'problem.yaml': 'validation: custom\n' },
    /output_validators: validation: custom needs an output validator/,
  ],
  [
    'several passes without a validator',
    { 'problem.yaml': 'type: multi-pass\n' },
    /output_validators: .* needs an output validator/,
  ],
  [
    'a statement that is neither in its folder nor at the root',
    { 'problem_statement/problem.tex': undefined, 'problem.html': '<p>Echo.</p>\n' },
    /problem_statement: there is no .*problem\.pdf/,
  ],
])('refuses %s', async (_what, files, message) => {
  await expect(load(files, MINIMAL_LEGACY)).rejects.toThrow(message);
});

it('shows the PDF at the root in place of LaTeX, and of no other statement', async () => {
  const pdf = { 'problem.pdf': '%PDF-1.4\n', 'problem.nl.pdf': '%PDF-1.4\n' };
  expect((await load(pdf, MINIMAL_LEGACY)).statements.map(({ path }) => path)).toEqual([
    'problem.nl.pdf',
    'problem.pdf',
  ]);
  const markdown = {
    'problem_statement/problem.tex': undefined,
    'problem_statement/problem.md': 'x',
  };
  const shown = await load({ 'problem.pdf': '', ...markdown }, MINIMAL_LEGACY);
  expect(shown.statements.map(({ path }) => path)).toEqual(['problem_statement/problem.md']);
});

const WRITTEN = `allow_file_writing: true
constants: {}
credits:
  acknowledgements: []
  authors:
  - email: null
    kattis: null
    name: A. Author
    orcid: null
  contributors: []
  packagers: []
  testers: []
  translators: {}
embargo_until: null
keywords: []
languages: all
license: cc by-sa
limits:
  memory: 1024
  time_limit: null
  time_multipliers: { ac_to_time_limit: 2.0, time_limit_to_tle: 1.5 }
  time_resolution: 1.0
  validation_passes: 2
name: { en: Echo }
problem_format_version: 2023-07
rights_owner: null
source: []
type: [pass-fail]
uuid: 0dd0a7b1-9f35-4c8b-a8a1-2f3a5f6c9d10
version: null
`;

it('reads version 2023-07 with every key that tools write', async () => {
  const problem = await load({ 'problem.yaml': WRITTEN }, MINIMAL);
  expect(problem).toMatchObject({
    version: '2025-09',
    type: { scoring: false, multiPass: false },
    limits: { timeMs: undefined, memoryBytes: 2 ** 30, validationPasses: 1 },
    languages: 'all',
    warnings: [],
  });
});

it.each(['custom interactive', '{ interactive: true, multi-pass: false }'])(
  'reads validation: %s of the draft’s first year',
  async (validation) => {
    const yaml = `problem_format_version: 2023-07-draft\nname: Echo\nuuid: echo\nvalidation: ${validation}\n`;
    const problem = await load({ 'problem.yaml': yaml, 'output_validator/v.py': '' }, MINIMAL);
    expect(problem).toMatchObject({ type: { interactive: true, multiPass: false } });
  },
);
