import { expect, it } from 'vitest';
import type { GroupResult } from '../judging/events.ts';
import type { JudgeSandbox } from '../judging/judge-sandbox.ts';
import type { GroupRules, Problem, TestGroup } from '../package/problem.ts';
import { gradeGroup } from './grade-group.ts';

const NO_SANDBOX = {} as JudgeSandbox;
const PROBLEM = { type: { scoring: true }, objective: 'max' } as Problem;
const YEAR_2025: GroupRules = {
  version: '2025-09',
  aggregation: 'sum',
  maxScore: Infinity,
  requirePass: [],
};
const LEGACY: GroupRules = {
  version: 'legacy',
  onReject: 'continue',
  grading: 'default',
  graderFlags: [],
  acceptScore: 1,
  rejectScore: 0,
  range: [-Infinity, Infinity],
};

const scored = (score: number): GroupResult => ({
  kind: 'group',
  name: 'secret/g',
  verdict: 'AC',
  score,
  skipped: false,
});

it.each<[string, GroupRules, number[]]>([
  ['2025-09', YEAR_2025, [1e308, 1e308]],
  ['legacy', LEGACY, [1e308, 1e308]],
  ['legacy, with no number at all', LEGACY, [1e308, 1e308, -Infinity]],
])('refuses points that add up to no number: %s', async (_, rules, scores) => {
  const children = scores.map(scored);
  const group: TestGroup = { kind: 'group', name: 'secret', rules, children: [] };
  await expect(gradeGroup(group, children, PROBLEM, NO_SANDBOX)).rejects.toMatchObject({
    name: 'JudgeFault',
    message: 'the points of secret are beyond the largest number',
  });
});

it('passes all of a package of 2025-09, which has no bound on its points', async () => {
  const rules: GroupRules = { ...YEAR_2025, aggregation: 'pass-fail' };
  const children = [scored(100)];
  const group = { kind: 'group', name: '', rules, children } as unknown as TestGroup;
  expect(await gradeGroup(group, children, PROBLEM, NO_SANDBOX)).toMatchObject({ verdict: 'AC' });
});
