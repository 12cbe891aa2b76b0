import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TestResult } from '../judging/events.ts';
import type { Verdict } from '../judging/verdict.ts';
import type { GroupRules, TestCase, TestGroup } from '../package/problem.ts';
import { caseMaximum, caseScore, gradeGroup2025, settled2025 } from './grade-2025.ts';

type Rules = Extract<GroupRules, { version: '2025-09' }>;

const rules = (aggregation: Rules['aggregation'], maxScore: number): Rules => ({
  version: '2025-09',
  aggregation,
  maxScore,
  requirePass: [],
});

const test = (name: string): TestCase => ({
  kind: 'test',
  name,
  input: '',
  answer: '',
  shown: { input: '', answer: '' },
  files: new Map(),
  args: [],
  outputValidatorArgs: [],
  inputValidatorArgs: [],
  fullFeedback: false,
  hint: undefined,
  description: undefined,
});

const group = (own: Rules, tests: number): TestGroup => ({
  kind: 'group',
  name: 'secret/g',
  rules: own,
  children: Array.from({ length: tests }, (_, i) => test(`secret/g/${i}`)),
});

const result = (verdict: Verdict, score: number | undefined): TestResult => ({
  kind: 'test',
  name: '',
  verdict,
  reason: '',
  usage: { cpuMs: 0, wallMs: 0, memoryBytes: 0 },
  passes: 1,
  validatorScore: undefined,
  score,
  judgeMessage: undefined,
  teamMessage: undefined,
  feedback: undefined,
  hint: undefined,
});

describe('points of a test', () => {
  it('are its share of a sum, and all of a minimum', () => {
    const sum = rules('sum', 30);
    const min = rules('min', 30);
    expect(caseMaximum(group(sum, 4), sum, test(''))).toBe(7.5);
    expect(caseMaximum(group(min, 4), min, test(''))).toBe(30);
  });

  it('leave points for the static validation', () => {
    const sum = rules('sum', 30);
    const statics = { kind: 'static', name: 's', maxScore: 10, args: [] } as const;
    const both: TestGroup = { ...group(sum, 4), children: [statics, ...group(sum, 4).children] };
    expect(caseMaximum(both, sum, test(''))).toBe(5);
    expect(caseMaximum(both, sum, statics)).toBe(10);
  });

  it('follow what the validator wrote', () => {
    const sum = rules('sum', 10);
    expect(caseScore('AC', undefined, sum, 10)).toBe(10);
    expect(caseScore('AC', { kind: 'score', value: 4 }, sum, 10)).toBe(4);
    expect(caseScore('AC', { kind: 'multiplier', value: 0.25 }, sum, 10)).toBe(2.5);
    expect(caseScore('WA', undefined, sum, 10)).toBe(0);
    expect(caseScore('AC', { kind: 'score', value: 1e6 }, sum, Infinity)).toBe(1e6);
  });

  it.each<
    [string, Verdict, { kind: 'score' | 'multiplier'; value: number } | undefined, Rules, number]
  >([
    [
      'an accepted test without a bound and without a score',
      'AC',
      undefined,
      rules('sum', Infinity),
      Infinity,
    ],
    ['a score for a failed test', 'WA', { kind: 'score', value: 0 }, rules('sum', 10), 10],
    [
      'a multiplier without a bound',
      'AC',
      { kind: 'multiplier', value: 1 },
      rules('sum', Infinity),
      Infinity,
    ],
    ['a multiplier above one', 'AC', { kind: 'multiplier', value: 1.1 }, rules('sum', 10), 10],
    ['a negative score', 'AC', { kind: 'score', value: -1 }, rules('sum', 10), 10],
    ['a score above the maximum', 'AC', { kind: 'score', value: 11 }, rules('sum', 10), 10],
    ['a score in a pass-fail group', 'AC', { kind: 'score', value: 1 }, rules('pass-fail', 10), 10],
  ])('are a judge error for %s', (_what, verdict, score, own, maximum) => {
    expect(() => caseScore(verdict, score, own, maximum)).toThrow(
      expect.objectContaining({ name: 'JudgeFault' }),
    );
  });
});

describe('points of a group', () => {
  it('of pass-fail are all or nothing', () => {
    const own = rules('pass-fail', 20);
    const grade = (...verdicts: Verdict[]) =>
      gradeGroup2025(
        group(own, 2),
        own,
        verdicts.map((verdict) => result(verdict, undefined)),
        true,
      ).score;
    expect(grade('AC', 'AC')).toBe(20);
    expect(grade('AC', 'WA')).toBe(0);
    expect(grade('WA')).toBe(0);
    expect(grade('AC')).toBe(0);
  });

  it('come to the whole when every test brings its share', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 1000 }),
        (tests, max) => {
          const own = rules('sum', max);
          const node = group(own, tests);
          const share = caseMaximum(node, own, test(''));
          const children = node.children.map(() => result('AC', share));
          expect(gradeGroup2025(node, own, children, true).score).toBe(max);
        },
      ),
    );
  });

  it('are never changed by stopping where the result is settled', () => {
    const scores = fc.array(fc.constantFrom(0, 2.5, 5), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(
        scores,
        fc.constantFrom<Rules['aggregation']>('pass-fail', 'sum', 'min'),
        (all, kind) => {
          const own = rules(kind, 1000);
          const node = group(own, all.length);
          const results = all.map((score) => result(score === 0 ? 'WA' : 'AC', score));
          const stop = results.findIndex((one) => settled2025(own, one, true));
          const some = stop === -1 ? results : results.slice(0, stop + 1);
          const whole = gradeGroup2025(node, own, results, true);
          expect(gradeGroup2025(node, own, some, true).score).toBe(whole.score);
        },
      ),
    );
  });

  it('may not exceed the maximum', () => {
    const own = rules('sum', 10);
    const children = [result('AC', 6), result('AC', 6)];
    expect(() => gradeGroup2025(group(own, 2), own, children, true)).toThrow(
      /more than its maximum/,
    );
  });
});
