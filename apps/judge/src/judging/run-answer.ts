/** One test of a submit-answer problem: the answer was handed in, so only the validator runs. */
import type { Problem, ProgramFile, TestCase } from '../package/problem.ts';
import type { OutputValidator } from '../validation/validator.ts';
import type { TestResult } from './events.ts';
import { outcomeOf, readPackageFile, messagesOf } from './run-test.ts';
import { answerTo } from './submission.ts';

const NOT_RUN = { cpuMs: 0, wallMs: 0, memoryBytes: 0 };

/** @throws JudgeFault. */
export async function runAnswer(
  test: TestCase,
  tests: readonly TestCase[],
  files: readonly ProgramFile[],
  validator: OutputValidator,
  problem: Problem,
): Promise<TestResult> {
  const base = { kind: 'test', name: test.name, usage: NOT_RUN, passes: 0 } as const;
  const given = answerTo(test, tests, files);
  if (given === undefined) {
    const reason = `no answer was handed in: there is no ${test.name}.out`;
    return { ...base, verdict: 'WA', reason, hint: test.hint };
  }
  const [input, answer] = await Promise.all([
    readPackageFile(problem, test.input),
    readPackageFile(problem, test.answer),
  ]);
  const validation = await (await validator.begin(test, answer)).check(input, given);
  return {
    ...base,
    ...outcomeOf(validation),
    ...messagesOf(validation),
    hint: validation.accepted ? undefined : test.hint,
  };
}
