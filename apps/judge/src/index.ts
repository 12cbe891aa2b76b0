/** The judge's core: problems in, verdicts out. The service and the page stand on this. */
export { loadProblem } from './package/load-problem.ts';
export { type Problem } from './package/problem.ts';
export { judge } from './judging/judge.ts';
export { openJudgeSandbox } from './judging/judge-sandbox.ts';
export { type Submission } from './judging/submission.ts';
