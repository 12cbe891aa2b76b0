/** The rules of a group, for every version of the format: the points of a case, and when to stop. */
import type { GroupResult, TestResult } from '../judging/events.ts';
import { JudgeFault } from '../judging/judge-fault.ts';
import type { Problem, StaticCase, TestCase, TestGroup } from '../package/problem.ts';
import { caseMaximum, caseScore, settled2025 } from './grade-2025.ts';

/** @returns points; undefined where there are none. @throws JudgeFault. */
export function scoreCase(
  group: TestGroup,
  item: TestCase | StaticCase,
  result: TestResult,
  problem: Problem,
): number | undefined {
  if (!problem.type.scoring) return undefined;
  const { rules } = group;
  try {
    if (rules.version === '2025-09') {
      // Scores of validators on samples are ignored.
      if (group.name === 'sample') return undefined;
      const maximum = caseMaximum(group, rules, item);
      return caseScore(result.verdict, result.validatorScore, rules, maximum);
    }
    if (result.validatorScore?.kind === 'score') return result.validatorScore.value;
    return result.verdict === 'AC' ? rules.acceptScore : rules.rejectScore;
  } catch (error) {
    if (error instanceof JudgeFault) throw new JudgeFault(`${item.name}: ${error.message}`);
    throw error;
  }
}

/** Whether judging of the group ends after this child. */
export function isSettled(
  group: TestGroup,
  child: TestResult | GroupResult,
  problem: Problem,
): boolean {
  const { rules } = group;
  if (rules.version === 'legacy') return rules.onReject === 'break' && child.verdict !== 'AC';
  // In scoring problems samples show, but do not decide.
  if (problem.type.scoring && group.name === '') return false;
  return settled2025(rules, child, problem.type.scoring);
}
