/**
 * Judges one submission: compiles it, runs its tests in the order and to the extent that the
 * groups' rules ask for, and yields each step as an event; the last event is the verdict.
 *
 * The submission and the validator each have a session for the whole judging. The generator is
 * pulled: when the consumer stops iterating, the judging stops, and the sessions are closed on
 * every exit.
 */
import { SkeinError } from '@skein/api';
import { gradeGroup } from '../grading/grade-group.ts';
import { isSettled, scoreCase } from '../grading/rules.ts';
import {
  casesOf,
  type Problem,
  type StaticCase,
  type TestCase,
  type TestGroup,
  testsOf,
} from '../package/problem.ts';
import { openOutputValidator } from '../validation/validator-session.ts';
import { buildProgram, isFailure, resolveLanguage } from './build.ts';
import type { GroupResult, JudgeEvent, Judgement, TestResult } from './events.ts';
import { JudgeFault } from './judge-fault.ts';
import type { JudgeSandbox } from './judge-sandbox.ts';
import { runLimits, solutionSession } from './limits.ts';
import { largestUsage, runTest, type TestRig } from './run-test.ts';
import { runAnswer } from './run-answer.ts';
import { runStatic } from './run-static.ts';
import { SOLUTION_FOLDER, solutionRuns } from './solution-session.ts';
import { checkLanguage, checkSubmission, type Submission, withIncludes } from './submission.ts';
import type { Outcome, Verdict } from './verdict.ts';

export interface JudgeOptions {
  /** Cpu time that every run may take; required where the package leaves it to be inferred. */
  readonly timeMs?: number | undefined;
  /**
   * Cpu time after which a run is stopped, where that is to be later than its limit, so that what a
   * slow program needs is known.
   */
  readonly stopMs?: number | undefined;
  /** Run every test, even when the verdict is settled; for checking packages. */
  readonly everyTest?: boolean | undefined;
  /** Ends the judging; the generator then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** @throws SkeinError SUBMISSION_INVALID, LANGUAGE_UNAVAILABLE, PROBLEM_LIMITS, and the sandbox's. */
export async function* judge(
  submission: Submission,
  problem: Problem,
  sandbox: JudgeSandbox,
  options: JudgeOptions = {},
): AsyncGenerator<JudgeEvent, Judgement> {
  checkSubmission(submission, problem);
  const timeMs = options.timeMs ?? problem.limits.timeMs;
  if (timeMs === undefined) {
    throw new SkeinError(
      'PROBLEM_LIMITS',
      `${problem.shortName} gives no time limit; infer it from its example submissions first.`,
    );
  }
  const judging = new Judging({ ...options, submission, problem, sandbox, timeMs });
  const abort = (): void => void judging.close();
  options.signal?.addEventListener('abort', abort);
  try {
    options.signal?.throwIfAborted();
    return yield* judging.run();
  } catch (error) {
    // Closing the sessions causes further errors; the signal is the cause to report.
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
    await judging.close();
  }
}

interface JudgingOptions extends JudgeOptions {
  readonly submission: Submission;
  readonly problem: Problem;
  readonly sandbox: JudgeSandbox;
  readonly timeMs: number;
}

class Judging {
  readonly #options: JudgingOptions;
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #tests: TestResult[] = [];
  readonly #groups = new Map<string, GroupResult>();
  readonly #total: number;
  #index = 0;
  #language: string | undefined;
  #compileOutput = '';

  constructor(options: JudgingOptions) {
    this.#options = options;
    this.#total = [...casesOf(options.problem.tests)].length;
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.splice(0).map((close) => close()));
  }

  async *run(): AsyncGenerator<JudgeEvent, Judgement> {
    let outcome: Outcome;
    try {
      const runCase = this.#options.problem.type.submitAnswer
        ? await this.#answers()
        : yield* this.#program();
      if ('verdict' in runCase) outcome = runCase;
      else outcome = this.#overall(yield* this.#group(this.#options.problem.tests, runCase.run));
    } catch (error) {
      if (!(error instanceof JudgeFault)) throw error;
      outcome = { verdict: 'JE', reason: error.message };
    }
    const judgement = this.#judgement(outcome);
    yield { type: 'verdict', judgement };
    return judgement;
  }

  /** Compiles; returns a function that runs one case. */
  async *#program(): AsyncGenerator<JudgeEvent, RunCase | Outcome> {
    const { problem, sandbox, submission, timeMs, stopMs } = this.#options;
    const language = resolveLanguage(submission, sandbox);
    if ('failed' in language) {
      const code = language.language === undefined ? 'SUBMISSION_INVALID' : 'LANGUAGE_UNAVAILABLE';
      throw new SkeinError(code, `The submission is not judged: ${language.failed}.`);
    }
    checkLanguage(language.code, problem);
    this.#language = language.code;
    yield { type: 'compiling', language: language.code };

    const limits = runLimits(problem, timeMs, stopMs);
    const sessionLimits = solutionSession(problem, limits);
    const session = await sandbox.open(sessionLimits);
    this.#closers.push(() => session.close());
    const files = withIncludes(submission.files, language.code, problem);
    const source = { files, language: language.code, entryPoint: submission.entryPoint };
    const built = await buildProgram(session, source, SOLUTION_FOLDER, sandbox, {
      wallMs: problem.limits.compilationMs,
      memoryBytes: problem.limits.compilationMemoryBytes,
    });
    if (isFailure(built)) {
      const [reason = '', ...output] = built.failed.split('\n');
      this.#compileOutput = output.join('\n') || reason;
      return { verdict: 'CE', reason };
    }
    this.#compileOutput = built.output;
    const usage = built.ending?.usage;
    yield {
      type: 'compiled',
      output: built.output,
      usage: {
        cpuMs: usage?.cpuMs ?? 0,
        wallMs: usage?.wallMs ?? 0,
        memoryBytes: usage?.peakMemoryBytes ?? 0,
      },
    };
    const validator = await openOutputValidator(problem, sandbox, files, limits);
    this.#closers.push(() => validator.close());
    const start = solutionRuns({ problem, sandbox, session, sessionLimits, limits, built });
    const rig: TestRig = { problem, start, validator, limits };
    return {
      run: (item) =>
        item.kind === 'test'
          ? runTest(rig, item)
          : runStatic(item, problem, sandbox, files, built, limits),
    };
  }

  async #answers(): Promise<RunCase> {
    const { problem, sandbox, submission, timeMs, stopMs } = this.#options;
    const { files } = submission;
    const limits = runLimits(problem, timeMs, stopMs);
    const validator = await openOutputValidator(problem, sandbox, files, limits);
    this.#closers.push(() => validator.close());
    const tests = testsOf(problem.tests);
    return {
      run: async (item) => {
        if (item.kind === 'static') throw new JudgeFault('submit-answer has no static validation');
        return runAnswer(item, tests, files, validator, problem);
      },
    };
  }

  async *#group(group: TestGroup, run: RunCase['run']): AsyncGenerator<JudgeEvent, GroupResult> {
    const results: (TestResult | GroupResult)[] = [];
    const skipped = this.#missingRequirement(group) !== undefined;
    for (const child of skipped ? [] : group.children) {
      const result =
        child.kind === 'group'
          ? yield* this.#group(child, run)
          : yield* this.#case(group, child, run);
      results.push(result);
      if (this.#options.everyTest !== true && isSettled(group, result, this.#options.problem))
        break;
    }
    const graded = skipped
      ? skippedGroup(group, this.#options.problem)
      : await gradeGroup(group, results, this.#options.problem, this.#options.sandbox);
    this.#groups.set(group.name, graded);
    if (group.name !== '') yield { type: 'group', result: graded };
    return graded;
  }

  #missingRequirement(group: TestGroup): string | undefined {
    if (group.rules.version !== '2025-09') return undefined;
    return group.rules.requirePass.find((name) => this.#groups.get(name)?.verdict !== 'AC');
  }

  async *#case(
    group: TestGroup,
    item: TestCase | StaticCase,
    run: RunCase['run'],
  ): AsyncGenerator<JudgeEvent, TestResult> {
    const index = this.#index++;
    const at = { index, total: this.#total };
    yield { type: 'test-started', name: item.name, ...at };
    const raw = await run(item).catch((error: unknown) => {
      if (!(error instanceof JudgeFault)) throw error;
      throw new JudgeFault(`${item.name}: ${error.message}`);
    });
    const result = { ...raw, score: scoreCase(group, item, raw, this.#options.problem) };
    this.#tests.push(result);
    yield { type: 'test', result, ...at };
    return result;
  }

  #overall(root: GroupResult): Outcome {
    const failing = this.#tests.find((test) => test.verdict !== 'AC');
    const { verdict } = root;
    if (verdict === 'AC') return { verdict, reason: 'every test that counts is accepted' };
    const same = this.#tests.find((test) => test.verdict === verdict) ?? failing;
    return { verdict, reason: same === undefined ? '' : `${same.name}: ${same.reason}` };
  }

  #judgement(outcome: Outcome): Judgement {
    const { type, version } = this.#options.problem;
    const root = this.#groups.get(version === 'legacy' ? '' : 'secret');
    const failed: Verdict[] = ['JE', 'CE'];
    const scored = type.scoring && !failed.includes(outcome.verdict);
    return {
      ...outcome,
      failingTest: this.#tests.find((test) => test.verdict !== 'AC')?.name,
      score: scored ? (root?.score ?? 0) : undefined,
      maxScore: type.scoring ? root?.maxScore : undefined,
      language: this.#language,
      usage: largestUsage(this.#tests.map((test) => test.usage)),
      compileOutput: this.#compileOutput,
      tests: this.#tests,
      groups: [...this.#groups.values()].filter((group) => group.name !== ''),
    };
  }
}

interface RunCase {
  readonly run: (item: TestCase | StaticCase) => Promise<TestResult>;
}

/** A group that was not run counts as failed, with no points. */
function skippedGroup(group: TestGroup, problem: Problem): GroupResult {
  return {
    kind: 'group',
    name: group.name,
    verdict: 'WA',
    score: problem.type.scoring ? 0 : undefined,
    maxScore:
      group.rules.version === '2025-09' && Number.isFinite(group.rules.maxScore)
        ? group.rules.maxScore
        : undefined,
    skipped: true,
  };
}
