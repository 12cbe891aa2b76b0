/** The contract of output validators: the default validator, or a package's own. */
import type { RunningCommand, Ending } from '@skein/sandbox';
import type { ValidatorScore } from '../judging/events.ts';
import type { TestCase } from '../package/problem.ts';

export interface Validation {
  readonly accepted: boolean;
  readonly judgeMessage?: string | undefined;
  readonly teamMessage?: string | undefined;
  readonly score?: ValidatorScore | undefined;
  /** Input of the next pass, when there is one. */
  readonly nextPass?: Uint8Array | undefined;
}

/** The validation of one test; in multi-pass problems it sees every pass. */
export interface TestValidation {
  /** @throws JudgeFault. @param input what the submission read in this pass. */
  check(input: Uint8Array, output: Uint8Array): Promise<Validation>;
  /** Starts the validator of an interactive problem; `conclude` interprets its exit. */
  interact(input: Uint8Array): Promise<RunningCommand>;
  /** @throws JudgeFault. */
  conclude(ending: Ending, stderr: string): Promise<Validation>;
}

export interface OutputValidator {
  begin(
    test: Pick<TestCase, 'name' | 'outputValidatorArgs'>,
    answer: Uint8Array,
  ): Promise<TestValidation>;
  close(): Promise<void>;
}
