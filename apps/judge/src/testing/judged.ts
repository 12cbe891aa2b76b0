/** The verdict about one program, over a real sandbox. */
import type { Judgement } from '../judging/events.ts';
import { judge } from '../judging/judge.ts';
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import { loadProblem } from '../package/load-problem.ts';
import { type Files, MINIMAL, packageFolder } from './package-folder.ts';

/** Milliseconds for the tests of one submission: they run side by side. */
export const TIMEOUT = 120_000;

/** A `problem.yaml` with limits that a test reaches soon. */
export const SMALL = MINIMAL['problem.yaml']
  ?.replace('time_limit: 1', 'time_limit: 0.5')
  .replace('memory: 256', 'memory: 128\n  output: 1') as string;

/** Judges one program against a minimal problem with these files. */
export async function judged(
  sandbox: JudgeSandbox,
  files: Files,
  code: string,
  name = 'main.py',
): Promise<Judgement> {
  const problem = await loadProblem(packageFolder({ 'problem.yaml': SMALL, ...files }));
  const submission = {
    files: [{ path: name, content: new TextEncoder().encode(code), executable: false }],
  };
  const events = judge(submission, problem, sandbox);
  for (;;) {
    const step = await events.next();
    if (step.done === true) return step.value;
  }
}
