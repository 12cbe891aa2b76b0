/**
 * A package's own output validator: in a session of its own, with the input, the answer and the
 * submission's files, never in the session of the running submission.
 *
 * Layout of the workspace: `validator/` the program, `submission/` the submitted files (the working
 * folder, as the format asks), `case/` the input and answer of the current test, `feedback/N/` the
 * feedback folder of the N-th test.
 */
import type { Command, Ending, Limits, SandboxSession } from '@skein/sandbox';
import { SkeinError } from '@skein/api';
import { collectFiles } from '../judging/collect.ts';
import { JudgeFault } from '../judging/judge-fault.ts';
import { mebibytes } from '../judging/verdict.ts';
import type { Problem } from '../package/problem.ts';
import { readFeedback } from './feedback.ts';
import type { OutputValidator, TestValidation, Validation } from './validator.ts';
import type { ValidatorProgram } from './validator-program.ts';

export const SUBMISSION_FOLDER = 'submission';
export const VALIDATOR_FOLDER = 'validator';

const ACCEPTED = 42;
const REJECTED = 43;

export function customOutputValidator(
  session: SandboxSession,
  program: ValidatorProgram,
  problem: Problem,
  limits: Partial<Limits>,
): OutputValidator {
  let tests = 0;
  return {
    async begin(test, answer) {
      const feedback = `feedback/${tests++}`;
      await session.put([
        { path: `${feedback}/.judge`, content: new Uint8Array() },
        { path: `${SUBMISSION_FOLDER}/.judge`, content: new Uint8Array() },
        { path: 'case/answer.ans', content: answer },
      ]);
      const { outputValidatorArgs: args } = test;
      return customValidation({ session, program, problem, limits, feedback, args });
    },
    close: () => session.close(),
  };
}

/** A package's validator in a session laid out as above, for one test. */
export interface ValidatorPlace {
  readonly session: SandboxSession;
  readonly program: ValidatorProgram;
  readonly problem: Problem;
  readonly limits: Partial<Limits>;
  /** Folder of the workspace. */
  readonly feedback: string;
  readonly args: readonly string[];
}

export function customValidation(place: ValidatorPlace): TestValidation {
  const { session, feedback } = place;
  const { workspace } = session;
  let passes = 0;

  async function command(input: Uint8Array): Promise<Command> {
    await session.put([{ path: 'case/input.in', content: input }]);
    if (passes++ > 0) await dropNextPass();
    return invocation(place, [`${workspace}/case/input.in`, `${workspace}/case/answer.ans`]);
  }

  /** The other files of the feedback folder are kept from pass to pass. */
  async function dropNextPass(): Promise<void> {
    const file = `${workspace}/${feedback}/nextpass.in`;
    const result = await session.run({ argv: ['rm', '-f', file], workspace: 'writable' });
    if (result.exitCode !== 0) throw new JudgeFault('nextpass.in cannot be removed');
  }

  return {
    async check(input, output) {
      const result = await session.run({ ...(await command(input)), stdin: output });
      return conclude(place, result, new TextDecoder().decode(result.stderr));
    },
    interact: async (input) => session.start({ ...(await command(input)), stdin: 'pipe' }),
    conclude: (ending, stderr) => conclude(place, ending, stderr),
  };
}

/** Runs it as a static validator: over the submission's files, with their language and entry point. */
export async function inspect(
  place: ValidatorPlace,
  language: string,
  entry: string,
): Promise<Validation> {
  const result = await place.session.run(invocation(place, [language, entry]));
  return conclude(place, result, new TextDecoder().decode(result.stderr));
}

function invocation(
  { session: { workspace }, program, problem, limits, feedback, args }: ValidatorPlace,
  operands: readonly string[],
): Command {
  const memory = problem.limits.validationMemoryBytes;
  return {
    argv: [
      ...program.argv(`${workspace}/${VALIDATOR_FOLDER}`, memory),
      ...operands,
      `${workspace}/${feedback}/`,
      ...args,
    ],
    env: program.env,
    cwd: `${workspace}/${SUBMISSION_FOLDER}`,
    workspace: 'writable',
    limits,
  };
}

async function conclude(
  { session, problem, feedback }: ValidatorPlace,
  ending: Ending,
  stderr: string,
): Promise<Validation> {
  const { exitCode } = ending;
  if (ending.endedBy !== 'exit' || (exitCode !== ACCEPTED && exitCode !== REJECTED)) {
    throw new JudgeFault(`the validator ${endOf(ending)}${detail(stderr)}`);
  }
  const files = await feedbackFiles(session, feedback, problem.limits.validationOutputBytes);
  return readFeedback(files, exitCode === ACCEPTED);
}

/** By name in the feedback folder. @throws JudgeFault. */
async function feedbackFiles(
  session: SandboxSession,
  feedback: string,
  maxBytes: number,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const collected = await collectFiles(session, [feedback], maxBytes).catch((error: unknown) => {
    if (!(error instanceof SkeinError) || error.code !== 'SANDBOX_OUTPUT_TOO_LARGE') throw error;
    throw new JudgeFault(`the validator left more than ${mebibytes(maxBytes)} MiB of feedback`);
  });
  return new Map(
    [...collected].map(([path, content]) => [path.slice(`${feedback}/`.length), content]),
  );
}

function endOf({ endedBy, exitCode, signal }: Ending): string {
  switch (endedBy) {
    case 'exit':
      return `exited with ${exitCode}, which is neither 42 nor 43`;
    case 'signal':
      return `was ended by ${signal}`;
    case 'cpu-limit':
    case 'wall-limit':
      return 'ran into its time limit';
    case 'out-of-memory':
      return 'ran out of memory';
    case 'output-limit':
      return 'wrote more than it may';
    case 'killed':
      return 'was stopped from outside';
  }
}

function detail(stderr: string): string {
  const text = stderr.trim().slice(0, 2000);
  return text === '' ? '' : `: ${text}`;
}
