/** The judge's core: problems in, verdicts out. The service and the page stand on this. */
export { LANGUAGES } from './languages/languages.ts';
export type { Language } from './languages/language.ts';
export { loadProblem } from './package/load-problem.ts';
export {
  type ExampleSubmission,
  type Problem,
  type ProgramFile,
  type Statement,
  type TestCase,
  testsOf,
} from './package/problem.ts';
export { unpackPackage } from './package/archive/unpack.ts';
export type {
  CaseUsage,
  FullFeedback,
  GroupResult,
  JudgeEvent,
  Judgement,
  TestResult,
} from './judging/events.ts';
export { judge, type JudgeOptions } from './judging/judge.ts';
export {
  chooseJudgeSandbox,
  type JudgeSandbox,
  openJudgeSandbox,
  type Toolchain,
} from './judging/judge-sandbox.ts';
export type { JudgeSandboxOptions } from './judging/toolchain-cache.ts';
export { machineCeilings, refuseDishonourable } from './judging/limits.ts';
export { checkSubmission, type Submission } from './judging/submission.ts';
export { type Verdict, VERDICT_NAMES } from './judging/verdict.ts';
export type { ExampleReport, VerifyEvent, VerifyReport } from './verify/report.ts';
export { timeLimitOf, verify } from './verify/verify.ts';
export {
  type AssetAddress,
  type RenderedStatement,
  renderStatement,
} from './statement/render-statement.ts';
export { type Sample, samplesOf } from './statement/samples.ts';
