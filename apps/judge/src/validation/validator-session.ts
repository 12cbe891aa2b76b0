/** Opens the session in which a package's validator judges the outputs of one submission. */
import type { SandboxSession } from '@skein/sandbox';
import { putBelow } from '../judging/build.ts';
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import { validatorLimits, validatorSession } from '../judging/limits.ts';
import type { RunLimits } from '../judging/verdict.ts';
import type { Problem, Program, ProgramFile } from '../package/problem.ts';
import {
  customOutputValidator,
  SUBMISSION_FOLDER,
  VALIDATOR_FOLDER,
} from './custom-output-validator.ts';
import { defaultOutputValidator } from './default-output-validator.ts';
import type { OutputValidator } from './validator.ts';
import { packageProgram, type ValidatorProgram } from './validator-program.ts';

/** The largest input and answer that a validator gets, in bytes, together. */
const DATA_BYTES = 512 * 2 ** 20;

/** @throws JudgeFault when the validator does not build. */
export async function openOutputValidator(
  problem: Problem,
  sandbox: JudgeSandbox,
  submission: readonly ProgramFile[],
  limits: RunLimits,
): Promise<OutputValidator> {
  if (problem.outputValidator === undefined) return defaultOutputValidator;
  const opened = await openValidator(problem.outputValidator, problem, sandbox, submission, limits);
  return customOutputValidator(
    opened.session,
    opened.program,
    problem,
    validatorLimits(problem, limits),
  );
}

export async function openValidator(
  program: Program,
  problem: Problem,
  sandbox: JudgeSandbox,
  submission: readonly ProgramFile[],
  limits: RunLimits,
): Promise<{ session: SandboxSession; program: ValidatorProgram }> {
  const built = await packageProgram(program, problem, sandbox);
  const session = await sandbox.open(validatorSession(problem, limits, DATA_BYTES));
  try {
    await putBelow(session, VALIDATOR_FOLDER, built.files);
    await putBelow(session, SUBMISSION_FOLDER, submission);
    return { session, program: built };
  } catch (error) {
    await session.close();
    throw error;
  }
}
