/**
 * Tests a package's output validator: against `valid_output` and `invalid_output`, and against the
 * sample answers, which a statement shows as right.
 */
import { JudgeFault } from '../judging/judge-fault.ts';
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import { runLimits } from '../judging/limits.ts';
import { readPackageFile } from '../judging/run-test.ts';
import { type Problem, testsOf } from '../package/problem.ts';
import { openOutputValidator } from '../validation/validator-session.ts';
import type { CheckReport } from './report.ts';

interface OutputCase {
  readonly name: string;
  readonly input: string;
  readonly answer: string;
  readonly output: string;
  readonly outputValidatorArgs: readonly string[];
  readonly accepted: boolean;
}

export async function* validateOutputs(
  problem: Problem,
  sandbox: JudgeSandbox,
): AsyncGenerator<CheckReport> {
  // An interactive problem has no output to compare with an answer.
  if (problem.type.interactive) return;
  const cases = [...sampleAnswers(problem), ...validatorCases(problem)];
  if (cases.length === 0) return;
  const validator = await openOutputValidator(problem, sandbox, [], runLimits(problem, 1000));
  try {
    for (const item of cases) {
      const [input, answer, output] = await Promise.all(
        [item.input, item.answer, item.output].map((path) => readPackageFile(problem, path)),
      );
      if (input === undefined || answer === undefined || output === undefined) continue;
      try {
        const { accepted, judgeMessage } = await (
          await validator.begin(item, answer)
        ).check(input, output);
        const ok = accepted === item.accepted;
        const reason = judgeMessage === undefined ? '' : `: ${judgeMessage}`;
        const message = ok
          ? ''
          : `the output validator ${accepted ? 'accepts' : 'rejects'} it${reason}`;
        yield { name: item.name, ok, message };
      } catch (error) {
        if (!(error instanceof JudgeFault)) throw error;
        yield { name: item.name, ok: false, message: error.message };
      }
    }
  } finally {
    await validator.close();
  }
}

/** Passes depend on each other, so multi-pass answers cannot be checked on their own. */
function sampleAnswers(problem: Problem): OutputCase[] {
  if (problem.type.multiPass || problem.version === 'legacy') return [];
  // An answer that a text for the statement replaces need not be right.
  return testsOf(problem.tests)
    .filter((test) => test.name.startsWith('sample/') && !test.shown.answer.endsWith('.statement'))
    .map((test) => ({ ...test, output: test.shown.answer, accepted: true }));
}

function validatorCases(problem: Problem): OutputCase[] {
  return problem.validatorCases.flatMap((item): OutputCase[] => {
    const { answer, output, expects } = item;
    if (answer === undefined || output === undefined) return [];
    return [{ ...item, answer, output, accepted: expects === 'valid output' }];
  });
}
