/** One test of a submit-answer problem: the answer was handed in, so only the validator runs. */
import type { Problem, ProgramFile, TestCase } from '../package/problem.ts';
import type { OutputValidator } from '../validation/validator.ts';
import type { TestResult } from './events.ts';
import { readPackageFile } from './run-test.ts';
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
  const rest = { score: undefined, feedback: undefined };
  const given = answerTo(test, tests, files);
  if (given === undefined) {
    return {
      ...base,
      ...rest,
      verdict: 'WA',
      reason: `no answer was handed in: there is no ${test.name}.out`,
      validatorScore: undefined,
      judgeMessage: undefined,
      teamMessage: undefined,
      hint: test.hint,
    };
  }
  const [input, answer] = await Promise.all([
    readPackageFile(problem, test.input),
    readPackageFile(problem, test.answer),
  ]);
  const validation = await (await validator.begin(test, answer)).check(input, given);
  return {
    ...base,
    ...rest,
    verdict: validation.accepted ? 'AC' : 'WA',
    reason: validation.accepted ? 'accepted by the validator' : 'rejected by the validator',
    validatorScore: validation.score,
    judgeMessage: validation.judgeMessage,
    teamMessage: validation.teamMessage,
    hint: validation.accepted ? undefined : test.hint,
  };
}
