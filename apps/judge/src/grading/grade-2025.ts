/**
 * Points and verdicts of groups, by the rules of format version 2025-09 ("Result aggregation"). Pure:
 * results of the children in, result of the group out. A validator that breaks a rule is a judge error.
 */
import type { GroupResult, TestResult, ValidatorScore } from '../judging/events.ts';
import { JudgeFault } from '../judging/judge-fault.ts';
import type { Verdict } from '../judging/verdict.ts';
import type { GroupRules, StaticCase, TestCase, TestGroup } from '../package/problem.ts';

type Rules = Extract<GroupRules, { version: '2025-09' }>;

/** Sums of shares such as 100/3 come out a little above or below the whole. */
const ROUNDING = 1e-9;

/** The most points that a case of the group can bring; `Infinity` when unbounded. */
export function caseMaximum(group: TestGroup, rules: Rules, item: TestCase | StaticCase): number {
  if (item.kind === 'static') return item.maxScore === 'pass-fail' ? 0 : item.maxScore;
  if (rules.aggregation === 'min' || !Number.isFinite(rules.maxScore)) return rules.maxScore;
  const statics = group.children.filter((child) => child.kind === 'static');
  const taken = statics.reduce((sum, child) => sum + caseMaximum(group, rules, child), 0);
  const tests = group.children.filter((child) => child.kind === 'test').length;
  return (rules.maxScore - taken) / tests;
}

/** @throws JudgeFault when the validator may not write such a score here. */
export function caseScore(
  verdict: Verdict,
  validator: ValidatorScore | undefined,
  rules: Rules,
  maximum: number,
): number | undefined {
  const file = validator?.kind === 'score' ? 'score.txt' : 'score_multiplier.txt';
  if (rules.aggregation === 'pass-fail') {
    if (validator !== undefined)
      throw new JudgeFault(`${file} in a group with pass-fail aggregation`);
    return undefined;
  }
  if (verdict !== 'AC') {
    if (validator !== undefined) throw new JudgeFault(`${file} for a test that was not accepted`);
    return 0;
  }
  const bounded = Number.isFinite(maximum);
  if (validator === undefined) {
    if (!bounded) throw new JudgeFault('no score.txt for an accepted test without a maximum score');
    return maximum;
  }
  const { kind, value } = validator;
  if (kind === 'multiplier') {
    if (!bounded) throw new JudgeFault(`${file} for a test without a maximum score`);
    if (value < 0 || value > 1) throw new JudgeFault(`${file} holds ${value}, outside of 0 to 1`);
    return value * maximum;
  }
  if (value < 0 || value > maximum + ROUNDING) {
    throw new JudgeFault(`${file} holds ${value}, outside of 0 to ${maximum}`);
  }
  return value;
}

/** Whether more results of the group's children cannot change its result. */
export function settled2025(
  rules: Rules,
  child: TestResult | GroupResult,
  scoring: boolean,
): boolean {
  if (!scoring || rules.aggregation === 'pass-fail') return child.verdict !== 'AC';
  return rules.aggregation === 'min' && child.score === 0;
}

export function gradeGroup2025(
  group: TestGroup,
  rules: Rules,
  children: readonly (TestResult | GroupResult)[],
  scoring: boolean,
): GroupResult {
  const failed = children.find((child) => child.verdict !== 'AC');
  const verdict = failed?.verdict ?? 'AC';
  const scored = scoring && group.name !== 'sample';
  return {
    kind: 'group',
    name: group.name,
    verdict,
    score: scored ? groupScore(group, rules, children) : undefined,
    maxScore: scored && Number.isFinite(rules.maxScore) ? rules.maxScore : undefined,
    skipped: false,
  };
}

function groupScore(
  group: TestGroup,
  rules: Rules,
  children: readonly (TestResult | GroupResult)[],
): number {
  const complete = children.length === group.children.length;
  if (rules.aggregation === 'pass-fail') {
    return complete && children.every((child) => child.verdict === 'AC') ? rules.maxScore : 0;
  }
  const scores = children.map((child) => child.score ?? 0);
  const score =
    rules.aggregation === 'sum'
      ? scores.reduce((sum, value) => sum + value, 0)
      : Math.min(...(complete ? scores : [...scores, 0]));
  if (score > rules.maxScore * (1 + ROUNDING)) {
    throw new JudgeFault(
      `${group.name} got ${score} points, more than its maximum of ${rules.maxScore}`,
    );
  }
  // 3 × 100/3 is 100 to a contestant.
  return Math.abs(score - Math.round(score)) < ROUNDING ? Math.round(score) : score;
}
