/**
 * The events of a judging, step by step, and its results as schemas. The live view and the stored
 * history read only these.
 */
import { z } from 'zod';
import { type Verdict, VERDICT_NAMES } from './verdict.ts';

export const VerdictCode = z.enum(Object.keys(VERDICT_NAMES) as [Verdict, ...Verdict[]]);

export const UsageRecord = z.object({
  // User plus system time; of several passes the largest.
  cpuMs: z.number(),
  wallMs: z.number(),
  memoryBytes: z.number(),
});
export type CaseUsage = Readonly<z.infer<typeof UsageRecord>>;

export const TestRecord = z.object({
  name: z.string(),
  verdict: VerdictCode,
  reason: z.string(),
  usage: UsageRecord,
  // Greater than one in multi-pass problems.
  passes: z.number(),
  // Points, in scoring problems.
  score: z.number().optional(),
  // For judges only.
  judgeMessage: z.string().optional(),
  teamMessage: z.string().optional(),
  hint: z.string().optional(),
  // The parts of a failed test with public data that a contestant may see; each part is cut short.
  feedback: z
    .object({ input: z.string(), output: z.string(), error: z.string(), answer: z.string() })
    .optional(),
});
export type TestRecord = z.infer<typeof TestRecord>;
export type FullFeedback = NonNullable<TestRecord['feedback']>;

export const GroupRecord = z.object({
  name: z.string(),
  verdict: VerdictCode,
  score: z.number().optional(),
  // Largest possible score; absent when there is no bound, or no score.
  maxScore: z.number().optional(),
  // Not run, because a group that it depends on did not pass.
  skipped: z.boolean(),
});
export type GroupRecord = z.infer<typeof GroupRecord>;

export const JudgementRecord = z.object({
  verdict: VerdictCode,
  reason: z.string(),
  // The first test that was not accepted.
  failingTest: z.string().optional(),
  score: z.number().optional(),
  maxScore: z.number().optional(),
  language: z.string().optional(),
  // Largest of all tests.
  usage: UsageRecord,
  compileOutput: z.string(),
  tests: z.array(TestRecord),
  groups: z.array(GroupRecord),
});
export type JudgementRecord = z.infer<typeof JudgementRecord>;

/** A number that a validator wrote: of points, or a share of the test's points. */
export interface ValidatorScore {
  readonly kind: 'score' | 'multiplier';
  readonly value: number;
}

export interface TestResult extends Readonly<TestRecord> {
  readonly kind: 'test';
  readonly validatorScore?: ValidatorScore | undefined;
}

export interface GroupResult extends Readonly<GroupRecord> {
  readonly kind: 'group';
}

export interface Judgement extends Readonly<Omit<JudgementRecord, 'tests' | 'groups'>> {
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
