/** Runs a package's input validators over its tests, and over the inputs that they must refuse. */
import type { Ending } from '@skein/sandbox';
import { putBelow } from '../judging/build.ts';
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import { readPackageFile } from '../judging/run-test.ts';
import type { Problem, Program, TestCase, ValidatorCase } from '../package/problem.ts';
import { testsOf } from '../package/problem.ts';
import { packageProgram, whyNotRunnable } from '../validation/validator-program.ts';

export interface InputCheck {
  readonly test: string;
  /** Name of the validator that rejected; undefined: all accepted. */
  readonly rejectedBy: string | undefined;
  readonly ok: boolean;
  /** No validator that can be run here has decided about the input. */
  readonly notChecked: boolean;
  readonly message: string;
}

type Input = Pick<TestCase, 'name' | 'input' | 'inputValidatorArgs'> & {
  readonly args: readonly string[];
  readonly files: ReadonlyMap<string, string>;
  readonly mustFail: boolean;
};

const VALID = 42;

/**
 * One result per input, in the order of the tests. Validators that cannot be run here are left out.
 *
 * @throws JudgeFault when a validator does not build.
 */
export async function* validateInputs(
  problem: Problem,
  sandbox: JudgeSandbox,
): AsyncGenerator<InputCheck> {
  const invalid = problem.validatorCases.map(invalidInput);
  const inputs = [
    ...testsOf(problem.tests).map((test): Input => ({ ...test, mustFail: false })),
    ...invalid,
  ];
  const rejections = new Map<Input, { by: string; message: string }>();
  const runnable = problem.inputValidators.filter(
    (validator) => whyNotRunnable(validator, sandbox) === undefined,
  );
  const complete = runnable.length === problem.inputValidators.length;
  for (const validator of runnable) {
    for await (const [input, message] of runValidator(validator, inputs, problem, sandbox)) {
      if (message !== undefined && !rejections.has(input)) {
        rejections.set(input, { by: validator.name, message });
      }
    }
  }
  for (const input of inputs) {
    const rejected = rejections.get(input);
    // One that was left out might have rejected the input.
    const notChecked =
      rejected === undefined && !complete && (input.mustFail || runnable.length === 0);
    yield {
      test: input.name,
      rejectedBy: rejected?.by,
      ok: notChecked || (rejected !== undefined) === input.mustFail,
      notChecked,
      message: notChecked
        ? 'not checked'
        : (rejected?.message ?? (input.mustFail ? 'no input validator rejects it' : '')),
    };
  }
}

function invalidInput(item: ValidatorCase): Input {
  const mustFail = item.expects === 'invalid input';
  return { ...item, args: [], files: new Map(), mustFail };
}

/** A warning for each validator that is left out. */
export function missingValidators(problem: Problem, sandbox: JudgeSandbox): string[] {
  return problem.inputValidators.flatMap((validator) => {
    const why = whyNotRunnable(validator, sandbox);
    return why === undefined ? [] : [`${validator.name}: its inputs are not checked: ${why}.`];
  });
}

/** @returns per input why it was rejected, or undefined. */
async function* runValidator(
  validator: Program,
  inputs: readonly Input[],
  problem: Problem,
  sandbox: JudgeSandbox,
): AsyncGenerator<[Input, string | undefined]> {
  const { validationMs, validationMemoryBytes, validationOutputBytes } = problem.limits;
  const program = await packageProgram(validator, problem, sandbox);
  const open = () =>
    sandbox.open({
      wallMs: validationMs + 5000,
      memoryBytes: validationMemoryBytes,
      pids: 64,
      outputBytes: validationOutputBytes,
      fileBytes: 2 ** 28,
      diskBytes: 2 ** 28,
    });
  const shared = await open();
  try {
    await putBelow(shared, 'validator', program.files);
    for (const input of inputs) {
      // A validator sees only the files of its test.
      const own = input.files.size > 0 ? await open() : undefined;
      const session = own ?? shared;
      try {
        if (own !== undefined) {
          await putBelow(own, 'validator', program.files);
          for (const [path, source] of input.files) {
            const content = await readPackageFile(problem, source);
            await putBelow(own, 'validator', [{ path, content, executable: false }]);
          }
        }
        const root = `${session.workspace}/validator`;
        const result = await session.run({
          argv: [
            ...program.argv(root, validationMemoryBytes),
            ...argsFor(validator, input),
            ...input.args,
          ],
          env: program.env,
          cwd: root,
          workspace: 'read-only',
          limits: { cpuMs: validationMs },
          stdin: await readPackageFile(problem, input.input),
        });
        const valid = result.endedBy === 'exit' && result.exitCode === VALID;
        yield [input, valid ? undefined : reasonOf(result)];
      } finally {
        await own?.close();
      }
    }
  } finally {
    await shared.close();
  }
}

function argsFor(validator: Program, input: Input): readonly string[] {
  const args = input.inputValidatorArgs;
  if (Array.isArray(args)) return args as readonly string[];
  const name = validator.name.slice(validator.name.lastIndexOf('/') + 1);
  const byName = args as Readonly<Record<string, readonly string[]>>;
  return byName[name] ?? byName[name.replace(/\.[^.]+$/, '')] ?? [];
}

function reasonOf(result: Ending & Record<'stdout' | 'stderr', Uint8Array>): string {
  const output = new TextDecoder().decode(Buffer.concat([result.stderr, result.stdout])).trim();
  const end =
    result.exitCode === null ? (result.signal ?? result.endedBy) : `exit ${result.exitCode}`;
  return output === '' ? end : `${end}: ${output.slice(0, 500)}`;
}
