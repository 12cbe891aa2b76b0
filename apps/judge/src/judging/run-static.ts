/** A judgement over the submission's sources, by the package's static validator. */
import type { Problem, ProgramFile, StaticCase } from '../package/problem.ts';
import { inspect } from '../validation/custom-output-validator.ts';
import { openValidator } from '../validation/validator-session.ts';
import type { Built } from './build.ts';
import type { TestResult } from './events.ts';
import { JudgeFault } from './judge-fault.ts';
import type { JudgeSandbox } from './judge-sandbox.ts';
import { validatorLimits } from './limits.ts';
import { outcomeOf, messagesOf } from './run-test.ts';
import type { RunLimits } from './verdict.ts';

const FEEDBACK = 'feedback/static';

/** @throws JudgeFault. */
export async function runStatic(
  item: StaticCase,
  problem: Problem,
  sandbox: JudgeSandbox,
  files: readonly ProgramFile[],
  built: Built,
  limits: RunLimits,
): Promise<TestResult> {
  const { staticValidator } = problem;
  if (staticValidator === undefined) throw new JudgeFault('the package has no static validator');
  const opened = await openValidator(staticValidator, problem, sandbox, files, limits);
  try {
    await opened.session.put([{ path: `${FEEDBACK}/.judge`, content: new Uint8Array() }]);
    const place = {
      ...opened,
      problem,
      limits: validatorLimits(problem, limits),
      feedback: FEEDBACK,
      args: item.args,
    };
    const validation = await inspect(place, built.language, built.entry);
    return {
      kind: 'test',
      name: item.name,
      ...outcomeOf(validation, 'the static validator'),
      usage: { cpuMs: 0, wallMs: 0, memoryBytes: 0 },
      passes: 0,
      ...messagesOf(validation),
    };
  } finally {
    await opened.session.close();
  }
}
