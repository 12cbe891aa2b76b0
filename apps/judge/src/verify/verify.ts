/**
 * Checks a problem package the way it will be judged: every input against the input validators,
 * every example submission against the verdict that its folder promises, and the time limit against
 * both.
 *
 * The submissions that bound the time limit from below run first, with the longest time that the
 * judge allows; all others run with the limit that follows.
 */
import { SkeinError } from '@skein/api';
import type { Judgement, TestResult } from '../judging/events.ts';
import { isFailure, resolveLanguage } from '../judging/build.ts';
import { judge, type JudgeOptions } from '../judging/judge.ts';
import { JudgeFault } from '../judging/judge-fault.ts';
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import type { ExampleSubmission, Problem } from '../package/problem.ts';
import { unmetExpectations } from './expectations.ts';
import type { CheckReport, ExampleReport, VerifyEvent, VerifyReport } from './report.ts';
import { boundsBelow, inferredTimeLimit, timeBounds, timeContradictions } from './time-limit.ts';
import { missingValidators, validateInputs } from './validate-inputs.ts';
import { validateOutputs } from './validate-outputs.ts';

/** Cpu time that a submission gets while no limit is known, in ms. */
const UNKNOWN_LIMIT_MS = 30_000;

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Counts every warning as a problem: unknown keys, and what cannot be checked here. */
  readonly strict?: boolean | undefined;
}

/** The last event is the report. @throws SkeinError of the sandbox, or the signal's reason. */
export async function* verify(
  problem: Problem,
  sandbox: JudgeSandbox,
  { signal, strict = false }: VerifyOptions = {},
): AsyncGenerator<VerifyEvent, VerifyReport> {
  const problems: string[] = [];
  const warnings = [...problem.warnings, ...missingValidators(problem, sandbox)];
  const inputs: CheckReport[] = [];
  const outputs: CheckReport[] = [];
  const examples: ExampleReport[] = [];
  const measured: [ExampleSubmission, readonly TestResult[]][] = [];

  if (problem.inputValidators.length === 0) problems.push('there is no input validator');
  try {
    for await (const check of validateInputs(problem, sandbox)) {
      const by = check.rejectedBy === undefined ? '' : `${check.rejectedBy}: `;
      const { test: name, ok, notChecked } = check;
      const report = { name, ok, notChecked, message: `${by}${check.message}` };
      inputs.push(report);
      yield { type: 'input', check: report };
      signal?.throwIfAborted();
    }
    for await (const check of validateOutputs(problem, sandbox)) {
      outputs.push(check);
      yield { type: 'output', check };
      signal?.throwIfAborted();
    }
  } catch (error) {
    if (!(error instanceof JudgeFault)) throw error;
    problems.push(error.message);
  }

  const run = async function* (
    example: ExampleSubmission,
    options: JudgeOptions,
  ): AsyncGenerator<VerifyEvent> {
    yield { type: 'example-started', name: example.name };
    const outcome = await judgeExample(example, problem, sandbox, { ...options, signal });
    if ('tests' in outcome) measured.push([example, outcome.tests]);
    const report = exampleReport(example, outcome, problem);
    examples.push(report);
    yield { type: 'example', report };
  };

  let timeMs = problem.limits.timeMs;
  const inferred = timeMs === undefined && !problem.type.submitAnswer;
  const first = inferred ? problem.examples.filter(boundsBelow) : [];
  for (const example of first) yield* run(example, { timeMs: UNKNOWN_LIMIT_MS, everyTest: true });
  if (inferred) {
    const { slowestAcceptedMs } = timeBounds(measured);
    if (slowestAcceptedMs === undefined) {
      const lacking = examples.some((one) => one.notRun) ? warnings : problems;
      lacking.push('no submission that could be run gives a lower bound of the time limit');
    } else timeMs = inferredTimeLimit(problem, slowestAcceptedMs);
  }
  timeMs ??= UNKNOWN_LIMIT_MS;
  if (!problem.type.submitAnswer) yield { type: 'time-limit', ms: timeMs, inferred };

  // Too slow submissions run until they exceed their bound.
  const stopMs = timeMs * problem.limits.multipliers.timeLimitToTle + 50;
  // Legacy directories require a verdict, which the groups' rules may decide early.
  const everyTest = problem.version === '2025-09';
  for (const example of problem.examples.filter((one) => !first.includes(one))) {
    yield* run(example, { timeMs, stopMs, everyTest });
  }
  const bounds = timeBounds(measured);
  if (!problem.type.submitAnswer) {
    // A given limit is the setter's word; one that was to be inferred must exist.
    (inferred ? problems : warnings).push(...timeContradictions(problem, timeMs, bounds));
  }
  warnings.push(...examples.filter((one) => one.notRun).map((one) => `${one.name}: ${one.reason}`));
  if (examples.every((one) => one.notRun || !one.name.startsWith('accepted/'))) {
    warnings.push('no accepted submission could be run here');
  }
  if (strict) problems.push(...warnings.splice(0));
  const report: VerifyReport = {
    problem: problem.shortName,
    ok:
      problems.length === 0 &&
      [...inputs, ...outputs].every((check) => check.ok) &&
      examples.every((example) => example.problems.length === 0),
    timeLimitMs: problem.type.submitAnswer ? undefined : timeMs,
    timeLimitInferred: inferred,
    ...bounds,
    inputs,
    outputs,
    examples,
    problems,
    warnings,
  };
  yield { type: 'report', report };
  return report;
}

/** The time limit that the service judges by: the package's, or what its submissions imply. */
export async function timeLimitOf(
  problem: Problem,
  sandbox: JudgeSandbox,
  { signal }: VerifyOptions = {},
): Promise<number> {
  if (problem.limits.timeMs !== undefined) return problem.limits.timeMs;
  if (problem.type.submitAnswer) return UNKNOWN_LIMIT_MS;
  const measured: [ExampleSubmission, readonly TestResult[]][] = [];
  for (const example of problem.examples.filter(boundsBelow)) {
    const options = { timeMs: UNKNOWN_LIMIT_MS, everyTest: true, signal };
    const outcome = await judgeExample(example, problem, sandbox, options);
    if ('tests' in outcome) measured.push([example, outcome.tests]);
  }
  const { slowestAcceptedMs } = timeBounds(measured);
  if (slowestAcceptedMs === undefined) {
    throw new SkeinError(
      'PROBLEM_LIMITS',
      `${problem.shortName}: no time limit is given, and no accepted submission can be run here.`,
    );
  }
  return inferredTimeLimit(problem, slowestAcceptedMs);
}

interface NotRun {
  readonly notRun: boolean;
  readonly reason: string;
}

async function judgeExample(
  example: ExampleSubmission,
  problem: Problem,
  sandbox: JudgeSandbox,
  options: JudgeOptions,
): Promise<Judgement | NotRun> {
  const { files } = example.program;
  const source = { files, language: example.language, entryPoint: example.entryPoint };
  if (!problem.type.submitAnswer) {
    const language = resolveLanguage(source, sandbox);
    if ('failed' in language && isFailure(language)) {
      return { notRun: language.missing === true, reason: language.failed };
    }
  }
  try {
    const events = judge(source, problem, sandbox, options);
    for (;;) {
      const step = await events.next();
      if (step.done === true) return step.value;
    }
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'SUBMISSION_INVALID') {
      return { notRun: false, reason: error.message };
    }
    throw error;
  }
}

function exampleReport(
  example: ExampleSubmission,
  outcome: Judgement | NotRun,
  problem: Problem,
): ExampleReport {
  const { name } = example;
  if ('notRun' in outcome) {
    const { notRun, reason } = outcome;
    const problems = notRun ? [] : [reason];
    const { language } = example;
    return { name, language, reason, cpuMs: 0, memoryBytes: 0, tests: {}, problems, notRun };
  }
  const { language, verdict, reason, failingTest, score, usage } = outcome;
  return {
    name,
    language,
    verdict,
    reason,
    failingTest,
    score,
    cpuMs: usage.cpuMs,
    memoryBytes: usage.memoryBytes,
    tests: Object.fromEntries(outcome.tests.map((test) => [test.name, test.verdict])),
    problems: unmetExpectations(example, outcome, problem),
    notRun: false,
  };
}
