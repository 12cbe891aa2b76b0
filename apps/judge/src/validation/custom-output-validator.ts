/**
 * A package's own output validator: in a session of its own, beside the input, the answer and the
 * submission's files, never beside the running submission.
 *
 * Layout of the workspace: `validator/` the program, `submission/` the submitted files (the working
 * folder, as the format asks), `case/` the input and answer of the current test, `feedback/N/` the
 * feedback folder of the N-th test.
 */
import type { Command, Ending, Limits, RunningCommand, SandboxSession } from '@skein/sandbox';
import { collectFiles } from '../judging/collect.ts';
import { JudgeFault } from '../judging/judge-fault.ts';
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
      return new CustomValidation(
        session,
        program,
        problem,
        limits,
        feedback,
        test.outputValidatorArgs,
      );
    },
    close: () => session.close(),
  };
}

/** One test before a package's validator; in a session laid out as above. */
export class CustomValidation implements TestValidation {
  readonly #session: SandboxSession;
  readonly #program: ValidatorProgram;
  readonly #problem: Problem;
  readonly #limits: Partial<Limits>;
  readonly #feedback: string;
  readonly #args: readonly string[];
  #pass = 0;

  constructor(
    session: SandboxSession,
    program: ValidatorProgram,
    problem: Problem,
    limits: Partial<Limits>,
    feedback: string,
    args: readonly string[],
  ) {
    this.#session = session;
    this.#program = program;
    this.#problem = problem;
    this.#limits = limits;
    this.#feedback = feedback;
    this.#args = args;
  }

  async check(input: Uint8Array, output: Uint8Array): Promise<Validation> {
    const result = await this.#session.run({ ...(await this.#command(input)), stdin: output });
    return this.conclude(result, new TextDecoder().decode(result.stderr));
  }

  /** As a static validator: over the submission's files, with their language and entry point. */
  async inspect(language: string, entry: string): Promise<Validation> {
    const result = await this.#session.run(this.#invocation([language, entry]));
    return this.conclude(result, new TextDecoder().decode(result.stderr));
  }

  async interact(input: Uint8Array): Promise<RunningCommand> {
    return this.#session.start({ ...(await this.#command(input)), stdin: 'pipe' });
  }

  async conclude(ending: Ending, stderr: string): Promise<Validation> {
    const { exitCode } = ending;
    if (ending.endedBy !== 'exit' || (exitCode !== ACCEPTED && exitCode !== REJECTED)) {
      throw new JudgeFault(`the validator ${endOf(ending)}${detail(stderr)}`);
    }
    const max = this.#problem.limits.validationOutputBytes;
    const collected = await collectFiles(this.#session, [this.#feedback], max);
    const files = new Map(
      [...collected].map(([path, content]) => [path.slice(path.lastIndexOf('/') + 1), content]),
    );
    return readFeedback(files, exitCode === ACCEPTED);
  }

  async #command(input: Uint8Array): Promise<Command> {
    const { workspace } = this.#session;
    const pass = this.#pass++;
    await this.#session.put([{ path: 'case/input.in', content: input }]);
    if (pass > 0) await this.#forgetNextPass();
    return this.#invocation([`${workspace}/case/input.in`, `${workspace}/case/answer.ans`]);
  }

  #invocation(operands: readonly string[]): Command {
    const { workspace } = this.#session;
    const memory = this.#problem.limits.validationMemoryBytes;
    return {
      argv: [
        ...this.#program.argv(`${workspace}/${VALIDATOR_FOLDER}`, memory),
        ...operands,
        `${workspace}/${this.#feedback}/`,
        ...this.#args,
      ],
      env: this.#program.env,
      cwd: `${workspace}/${SUBMISSION_FOLDER}`,
      workspace: 'writable',
      limits: this.#limits,
    };
  }

  /** The other files of the feedback folder are kept from pass to pass. */
  async #forgetNextPass(): Promise<void> {
    const file = `${this.#session.workspace}/${this.#feedback}/nextpass.in`;
    const result = await this.#session.run({ argv: ['rm', '-f', file], workspace: 'writable' });
    if (result.exitCode !== 0) throw new JudgeFault('nextpass.in cannot be removed');
  }
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
