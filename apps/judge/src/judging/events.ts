/** The events of a judging, step by step. The live view and the stored history read only these. */
import type { Outcome, Verdict } from './verdict.ts';

export interface CaseUsage {
  /** User plus system time; of several passes the largest. */
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly memoryBytes: number;
}

/** A number that a validator wrote: of points, or a share of the test's points. */
export interface ValidatorScore {
  readonly kind: 'score' | 'multiplier';
  readonly value: number;
}

/** What a contestant may see of a failed test whose data are public; each part is cut short. */
export interface FullFeedback {
  readonly input: string;
  readonly output: string;
  readonly error: string;
  readonly answer: string;
}

export interface TestResult extends Outcome {
  readonly kind: 'test';
  readonly name: string;
  readonly usage: CaseUsage;
  /** Greater than one in multi-pass problems. */
  readonly passes: number;
  readonly validatorScore: ValidatorScore | undefined;
  /** Points, in scoring problems. */
  readonly score: number | undefined;
  /** For judges only. */
  readonly judgeMessage: string | undefined;
  readonly teamMessage: string | undefined;
  readonly feedback: FullFeedback | undefined;
  readonly hint: string | undefined;
}

export interface GroupResult {
  readonly kind: 'group';
  readonly name: string;
  readonly verdict: Verdict;
  readonly score: number | undefined;
  /** Largest possible score; undefined when there is no bound, or no score. */
  readonly maxScore: number | undefined;
  /** Not run, because a group that it depends on did not pass. */
  readonly skipped: boolean;
}

export interface Judgement extends Outcome {
  /** The first test that was not accepted. */
  readonly failingTest: string | undefined;
  readonly score: number | undefined;
  readonly maxScore: number | undefined;
  readonly language: string | undefined;
  /** Largest of all tests. */
  readonly usage: CaseUsage;
  readonly compileOutput: string;
  readonly tests: readonly TestResult[];
  readonly groups: readonly GroupResult[];
}

export type JudgeEvent =
  | { readonly type: 'compiling'; readonly language: string }
  | { readonly type: 'compiled'; readonly output: string; readonly usage: CaseUsage }
  /** `index` counts from 0; `total` is how many there would be if none were skipped. */
  | {
      readonly type: 'test-started';
      readonly name: string;
      readonly index: number;
      readonly total: number;
    }
  | {
      readonly type: 'test';
      readonly result: TestResult;
      readonly index: number;
      readonly total: number;
    }
  | { readonly type: 'group'; readonly result: GroupResult }
  | { readonly type: 'verdict'; readonly judgement: Judgement };
