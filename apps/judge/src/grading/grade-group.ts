/** The result of a group from its children's results; a legacy package may bring a grader of its own. */
import type { GroupResult, TestResult } from '../judging/events.ts';
import { JudgeFault } from '../judging/judge-fault.ts';
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import type { Problem, TestGroup } from '../package/problem.ts';
import { packageProgram } from '../validation/validator-program.ts';
import { putBelow } from '../judging/build.ts';
import { gradeGroup2025 } from './grade-2025.ts';
import { type Graded, gradeLegacy, gradeLine, parseGrade } from './grade-legacy.ts';

/** @throws JudgeFault. */
export async function gradeGroup(
  group: TestGroup,
  children: readonly (TestResult | GroupResult)[],
  problem: Problem,
  sandbox: JudgeSandbox,
): Promise<GroupResult> {
  const { rules } = group;
  const graded = await gradeByRules(group, children, problem, sandbox);
  // A group that only passes or fails gets its maximum, and the package as a whole has none.
  const isSum = rules.version === 'legacy' || rules.aggregation !== 'pass-fail';
  // Sums of finite scores may still be infinite, and then NaN; no record can hold either.
  if (isSum && graded.score !== undefined && !Number.isFinite(graded.score)) {
    throw new JudgeFault(`the points of ${nameOf(group)} are beyond the largest number`);
  }
  return graded;
}

const nameOf = ({ name }: TestGroup): string => name || 'data';

async function gradeByRules(
  group: TestGroup,
  children: readonly (TestResult | GroupResult)[],
  problem: Problem,
  sandbox: JudgeSandbox,
): Promise<GroupResult> {
  const { rules } = group;
  const { scoring } = problem.type;
  if (rules.version === '2025-09') return gradeGroup2025(group, rules, children, scoring);
  const results = children.map(({ verdict, score }): Graded => ({ verdict, score: score ?? 0 }));
  const graded =
    rules.grading === 'custom'
      ? await runGrader(problem, sandbox, rules.graderFlags, results)
      : gradeLegacy(results, rules.graderFlags);
  const [low, high] = rules.range;
  if (scoring && graded.verdict === 'AC' && (graded.score < low || graded.score > high)) {
    throw new JudgeFault(
      `${nameOf(group)} got ${graded.score} points, outside of ${low} to ${high}`,
    );
  }
  const best = problem.objective === 'max' ? high : low;
  return {
    kind: 'group',
    name: group.name,
    verdict: graded.verdict,
    score: scoring ? graded.score : undefined,
    maxScore: scoring && Number.isFinite(best) ? best : undefined,
    skipped: false,
  };
}

const FOLDER = 'grader';

async function runGrader(
  problem: Problem,
  sandbox: JudgeSandbox,
  flags: readonly string[],
  results: readonly Graded[],
): Promise<Graded> {
  if (problem.grader === undefined) throw new JudgeFault('the package has no grader');
  const program = await packageProgram(problem.grader, problem, sandbox);
  const { validationMs, validationMemoryBytes, validationOutputBytes } = problem.limits;
  const session = await sandbox.open({
    wallMs: validationMs,
    memoryBytes: validationMemoryBytes,
    pids: 64,
    outputBytes: validationOutputBytes,
    fileBytes: 2 ** 24,
    diskBytes: 2 ** 28,
  });
  try {
    await putBelow(session, FOLDER, program.files);
    const root = `${session.workspace}/${FOLDER}`;
    const ended = await session.run({
      argv: [...program.argv(root, validationMemoryBytes), ...flags],
      env: program.env,
      workspace: 'read-only',
      stdin: new TextEncoder().encode(results.map((result) => `${gradeLine(result)}\n`).join('')),
    });
    if (ended.endedBy !== 'exit' || ended.exitCode !== 0) {
      throw new JudgeFault(
        `the grader ended with ${ended.exitCode ?? ended.signal ?? ended.endedBy}`,
      );
    }
    return parseGrade(new TextDecoder().decode(ended.stdout));
  } finally {
    await session.close();
  }
}
