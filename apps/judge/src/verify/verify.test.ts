/** The packages of this repository, and small ones for each rule, verified as a setter would, over the sandboxes that judge here. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LANGUAGES } from '../languages/languages.ts';
import { loadProblem } from '../package/load-problem.ts';
import { COUNTDOWN, DOUBLE } from '../testing/domjudge-packages.ts';
import { describeOverSandboxes, judgeDrivers } from '../testing/judge-sandboxes.ts';
import { type Files, MINIMAL, MINIMAL_LEGACY, packageFolder } from '../testing/package-folder.ts';
import { INPUT_CHECKERS } from '../validation/input-checkers.ts';
import type { VerifyReport } from './report.ts';
import { timeLimitOf, verify } from './verify.ts';

const PROBLEMS = join(import.meta.dirname, '../../problems');
/**
 * The packages whose submissions or answers no other test has in every sandbox: all languages, and answers without a
 * program. The tests of conversations, of passes and of legacy packages have the rest.
 */
const IN_EVERY_SANDBOX = ['ferry', 'ruler'];
const SMALL_SESSION = {
  wallMs: 10_000,
  memoryBytes: 2 ** 26,
  pids: 8,
  outputBytes: 2 ** 16,
  fileBytes: 2 ** 20,
  diskBytes: 2 ** 20,
};
const OPTIONAL = LANGUAGES.filter(({ toolchain }) => toolchain.optional === true);
const TIMEOUT = 600_000;

async function report(
  folder: string,
  ...args: [Parameters<typeof verify>[1]]
): Promise<VerifyReport> {
  return reportOf(verify(await loadProblem(folder), ...args));
}

async function reportOf(events: ReturnType<typeof verify>): Promise<VerifyReport> {
  for (;;) {
    const step = await events.next();
    if (step.done === true) return step.value;
  }
}

describeOverSandboxes('verifying in', (open, driver) => {
  it.each(driver === judgeDrivers()[0] ? readdirSync(PROBLEMS) : IN_EVERY_SANDBOX)(
    'accepts the package %s',
    async (name) => {
      const found = await report(join(PROBLEMS, name), await open());
      const failures = [...found.inputs, ...found.outputs].filter((check) => !check.ok);
      expect(failures).toEqual([]);
      expect(found.examples.flatMap((example) => example.problems)).toEqual([]);
      expect(found.problems).toEqual([]);
      expect(found.ok).toBe(true);
      const notRun = found.examples.filter((example) => example.notRun);
      const missing = notRun.filter(
        ({ reason }) => !OPTIONAL.some(({ name }) => reason.startsWith(`${name} cannot be run`)),
      );
      expect(missing).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'holds the samples that a statement shows against the output validator',
    async () => {
      // The answers are for the validator alone.
      const files = {
        'data/sample/1.ans': 'any of 1 and 2\n',
        'data/sample/2.in': '2\n',
        'data/sample/2.ans': 'only 3\n',
        'data/sample/2.ans.statement': '3 …\n',
        'output_validator/any.py':
          'import sys\nsys.exit(42 if sys.stdin.read().strip() in open(sys.argv[2]).read().split() else 43)\n',
        'submissions/accepted/echo.py': 'print({2: 3}.get(n := int(input()), n) if n < 3 else n)\n',
        'data/secret/1.ans': '3\n',
      };
      const sandbox = await open();
      const right = await report(packageFolder({ ...files, 'data/sample/1.out': '2\n' }), sandbox);
      expect(right.outputs).toEqual([{ name: 'sample/1', ok: true, message: '' }]);
      const wrong = await report(packageFolder({ ...files, 'data/sample/1.out': '7\n' }), sandbox);
      expect(wrong).toMatchObject({ ok: false, outputs: [{ name: 'sample/1', ok: false }] });
    },
    TIMEOUT,
  );

  it(
    'finds what is wrong with a package',
    async () => {
      const folder = packageFolder({
        'data/invalid_input/a.in': '1\n',
        'data/invalid_output/b.in': '1\n',
        'data/invalid_output/b.ans': '1\n',
        'data/invalid_output/b.out': '1\n',
        'data/valid_output/c.in': '1\n',
        'data/valid_output/c.ans': '1\n',
        'data/valid_output/c.out': '2\n',
        'submissions/accepted/wrong.py': 'print(0)\n',
        'submissions/wrong_answer/right.py': 'print(input())\n',
        'submissions/run_time_error/broken.py': 'print(\n',
      });
      const found = await report(folder, await open());
      expect(found.ok).toBe(false);
      expect(found.inputs.filter((check) => !check.ok).map((check) => check.name)).toEqual([
        'invalid_input/a',
      ]);
      expect(found.outputs.filter((check) => !check.ok).map((check) => check.name)).toEqual([
        'invalid_output/b',
        'valid_output/c',
      ]);
      const bad = found.examples.filter((example) => example.problems.length > 0);
      expect(bad.map((example) => [example.name, example.verdict])).toEqual([
        ['accepted/wrong.py', 'WA'],
        ['run_time_error/broken.py', 'CE'],
        ['wrong_answer/right.py', 'AC'],
      ]);
    },
    TIMEOUT,
  );

  it(
    'infers a time limit that the package leaves open',
    async () => {
      const yaml = `${MINIMAL['problem.yaml']}`.replace('time_limit: 1', 'time_resolution: 0.25');
      const problem = await loadProblem(packageFolder({ 'problem.yaml': yaml }));
      const limit = await timeLimitOf(problem, await open());
      expect(limit % 250).toBe(0);
      expect(limit).toBeGreaterThan(0);
    },
    TIMEOUT,
  );

  it(
    'grades a legacy package, with a grader of its own',
    async () => {
      const folder = packageFolder(
        {
          'problem.yaml': `${MINIMAL_LEGACY['problem.yaml']}type: scoring\n`,
          'data/testdata.yaml': 'on_reject: continue\ngrader_flags: ignore_sample\nrange: 0 20\n',
          'data/secret/testdata.yaml':
            'on_reject: continue\ngrading: custom\ngrader_flags: "2"\nrange: 0 20\naccept_score: 10\n',
          'data/secret/2.in': '3\n',
          'data/secret/2.ans': '3\n',
          'graders/half.py':
            'import sys\nrows = [line.split() for line in sys.stdin]\ngood = sum(row[0] == "AC" for row in rows)\nprint("AC" if good * int(sys.argv[1]) >= len(rows) else "WA", sum(float(row[1]) for row in rows))\n',
          'submissions/partially_accepted/half.py': 'n = input()\nprint(n if n != "3" else 0)\n',
          'submissions/wrong_answer/none.py': 'input()\nprint(0)\n',
        },
        MINIMAL_LEGACY,
      );
      const found = await report(folder, await open());
      expect(
        found.examples.map((example) => [example.name, example.score, example.problems]),
      ).toEqual([
        ['accepted/echo.py', 20, []],
        ['partially_accepted/half.py', 10, []],
        ['wrong_answer/none.py', 0, []],
      ]);
      expect(found).toMatchObject({ ok: true, timeLimitMs: 1000, timeLimitInferred: true });
    },
    TIMEOUT,
  );

  // A wrong answer of the first is right in its first pass.
  it.each<[string, Files]>([
    ['a multi-pass', COUNTDOWN],
    ['an interactive', DOUBLE],
  ])(
    'accepts %s package of DOMjudge',
    async (_what, files) => {
      const found = await report(packageFolder(files, {}), await open());
      expect(found.problems).toEqual([]);
      expect(found).toMatchObject({ ok: true, timeLimitMs: 2000 });
      expect(found.examples.filter((one) => one.notRun || one.problems.length > 0)).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'skips a submission in a language that is not here, unless it is strict',
    async () => {
      const problem = await loadProblem(
        packageFolder({
          'submissions/accepted/echo.pl': ':- initialization(main).\n',
          'submissions/accepted/echo.cob': '',
          'submissions/submissions.yaml': 'accepted/echo.cob:\n  language: cobol\n',
        }),
      );
      const sandbox = await open();
      const found = await reportOf(verify(problem, sandbox));
      expect(found).toMatchObject({ ok: true, problems: [] });
      expect(found.examples.filter((one) => one.notRun).map((one) => one.name)).toEqual([
        'accepted/echo.cob',
        'accepted/echo.pl',
      ]);
      expect(found.warnings).toEqual([
        expect.stringContaining('accepted/echo.cob: the judge does not know the language cobol'),
        expect.stringContaining('accepted/echo.pl: no language is known by the files echo.pl'),
      ]);
      const strict = await reportOf(verify(problem, sandbox, { strict: true }));
      expect(strict).toMatchObject({ ok: false, problems: found.warnings, warnings: [] });
    },
    TIMEOUT,
  );

  it(
    'is in order, with a warning, where no accepted submission can be run',
    async () => {
      const folder = packageFolder({
        'submissions/accepted/echo.py': undefined,
        'submissions/accepted/echo.cob': '',
      });
      expect(await report(folder, await open())).toMatchObject({
        ok: true,
        warnings: expect.arrayContaining(['no accepted submission could be run here']),
      });
    },
    TIMEOUT,
  );

  it.each(INPUT_CHECKERS)(
    'reports inputs as not checked where $tool is missing',
    async ({ extension, tool }) => {
      const files = {
        'data/invalid_input/a.in': '1\n',
        [`input_validators/format${extension}`]: 'INT(0,9) NEWLINE EOF\n',
      };
      const sandbox = { ...(await open()), inputTools: new Map<string, string>() };
      const some = await report(packageFolder(files), sandbox);
      expect(some.inputs.filter((one) => one.notChecked === true).map((one) => one.name)).toEqual([
        'invalid_input/a',
      ]);
      const alone = await report(
        packageFolder({ ...files, 'input_validators/any.py': undefined }),
        sandbox,
      );
      expect(alone.inputs.filter((one) => one.notChecked !== true)).toEqual([]);
      for (const found of [some, alone]) {
        expect(found.ok).toBe(true);
        expect(found.warnings).toEqual([expect.stringContaining(`no command ${tool}`)]);
      }
    },
    TIMEOUT,
  );

  it(
    'runs a validator by its own script, whatever else lies next to it',
    async () => {
      const folder = packageFolder({
        'input_validators/any.py': undefined,
        'input_validators/format/run': '#!/bin/sh\nexit 43\n',
        'input_validators/format/format.ctd': 'INT(0,9) NEWLINE EOF\n',
      });
      const found = await report(folder, await open());
      expect(found.inputs.map(({ ok, notChecked }) => [ok, notChecked])).toEqual(
        found.inputs.map(() => [false, false]),
      );
    },
    TIMEOUT,
  );

  it.each(INPUT_CHECKERS)(
    'runs the scripts of $tool where it is installed',
    async ({ extension, tool }) => {
      // Accepts the inputs that equal the script, with the statuses of the real command.
      const accepted = tool === 'viva' ? 42 : 0;
      const folder = packageFolder({
        'input_validators/any.py': undefined,
        [`input_validators/format/format${extension}`]: '2\n',
        'input_validators/format/tool': `#!/bin/sh\n[ "$(cat)" = "$(cat "$1")" ] && exit ${accepted}\necho no\nexit 1\n`,
        'data/invalid_input/a.in': '5\n',
      });
      const sandbox = await open();
      const session = await sandbox.open(SMALL_SESSION);
      const at = `${session.workspace}/validator/tool`;
      await session.close();
      const found = await report(folder, { ...sandbox, inputTools: new Map([[tool, at]]) });
      expect(found.inputs.map(({ name, ok, notChecked }) => [name, ok, notChecked])).toEqual([
        ['sample/1', false, false],
        ['secret/1', true, false],
        ['secret/2', false, false],
        ['invalid_input/a', true, false],
      ]);
    },
    TIMEOUT,
  );
});
