import { describe, expect, it } from 'vitest';
import { type Graded, gradeLegacy, gradeLine, parseGrade } from './grade-legacy.ts';

const results: Graded[] = [
  { verdict: 'AC', score: 10 },
  { verdict: 'WA', score: 1 },
  { verdict: 'TLE', score: 4 },
];

describe('the legacy default grader', () => {
  it.each<[string[], Graded]>([
    [[], { verdict: 'TLE', score: 15 }],
    [['first_error'], { verdict: 'WA', score: 15 }],
    [['always_accept', 'avg'], { verdict: 'AC', score: 5 }],
    [['min'], { verdict: 'TLE', score: 1 }],
    [['max', 'accept_if_any_accepted'], { verdict: 'AC', score: 10 }],
    [['sum', 'min'], { verdict: 'TLE', score: 1 }],
  ])('with %j', (flags, expected) => expect(gradeLegacy(results, flags)).toEqual(expected));

  it('may leave the sample out of account', () => {
    const root: Graded[] = [
      { verdict: 'WA', score: 5 },
      { verdict: 'AC', score: 70 },
    ];
    expect(gradeLegacy(root, ['ignore_sample'])).toEqual({ verdict: 'AC', score: 70 });
  });

  it('refuses flags that it does not have', () => {
    expect(() => gradeLegacy(results, ['median'])).toThrow(/median/);
  });

  it('reads the result of a custom grader, and refuses other texts', () => {
    expect(parseGrade('AC 12.5\n')).toEqual({ verdict: 'AC', score: 12.5 });
    expect(parseGrade(gradeLine({ verdict: 'MLE', score: 3 }))).toEqual({
      verdict: 'RTE',
      score: 3,
    });
    for (const text of ['', 'AC', 'OK 3', 'AC 1 2', 'AC 1\nAC 2', 'AC x']) {
      expect(() => parseGrade(text)).toThrow(expect.objectContaining({ name: 'JudgeFault' }));
    }
  });
});
