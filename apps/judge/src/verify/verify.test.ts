/**
 * The packages of this repository, each verified as a setter would, over every sandbox that judges
 * here.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadProblem } from '../package/load-problem.ts';
import { describeOverSandboxes } from '../testing/judge-sandboxes.ts';
import { MINIMAL, MINIMAL_LEGACY, packageFolder } from '../testing/package-folder.ts';
import type { VerifyReport } from './report.ts';
import { timeLimitOf, verify } from './verify.ts';

const PROBLEMS = join(import.meta.dirname, '../../problems');
const TIMEOUT = 600_000;

async function report(
  folder: string,
  ...args: [Parameters<typeof verify>[1]]
): Promise<VerifyReport> {
  const events = verify(await loadProblem(folder), ...args);
  for (;;) {
    const step = await events.next();
    if (step.done === true) return step.value;
  }
}

describeOverSandboxes('verifying in', (open) => {
  it.each(readdirSync(PROBLEMS))(
    'accepts the package %s',
    async (name) => {
      const found = await report(join(PROBLEMS, name), await open());
      const failures = [...found.inputs, ...found.outputs].filter((check) => !check.ok);
      expect(failures).toEqual([]);
      expect(found.examples.flatMap((example) => example.problems)).toEqual([]);
      expect(found.problems).toEqual([]);
      expect(found.ok).toBe(true);
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
});
