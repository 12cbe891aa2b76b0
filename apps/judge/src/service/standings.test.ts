import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Verdict } from '../judging/verdict.ts';
import { standingsOf, type StandingsProblem } from './standings.ts';
import type { ScoredRow } from './submissions/submissions.ts';

const MINUTE = 60_000;
const A: StandingsProblem = { id: 'a', scoring: false, objective: 'max' };
const B: StandingsProblem = { id: 'b', scoring: false, objective: 'max' };
const S: StandingsProblem = { id: 's', scoring: true, objective: 'max' };
const T: StandingsProblem = { id: 't', scoring: true, objective: 'min' };

function row(
  user: string,
  problem: string,
  minute: number,
  verdict: Verdict | undefined,
  score?: number,
): ScoredRow {
  return { user, problem, submittedAt: minute * MINUTE, verdict, score };
}

describe('standings', () => {
  it('count penalties as the ICPC does: minutes, and 20 for each rejected one before', () => {
    const rows = [
      row('ann', 'a', 0, 'WA'),
      row('ann', 'a', 5, 'CE'),
      row('ann', 'a', 10, 'AC'),
      row('ann', 'a', 11, 'WA'),
      row('bob', 'a', 20, 'AC'),
      row('bob', 'b', 30, 'TLE'),
      row('cid', 'b', 31, undefined),
    ];
    const { passFail } = standingsOf(rows, [A, B], 0);
    expect(
      passFail.map(({ rank, user, solved, penalty }) => [rank, user, solved, penalty]),
    ).toEqual([
      [1, 'bob', 1, 20],
      [2, 'ann', 1, 30],
      [3, 'cid', 0, 0],
    ]);
    const [bob, ann, cid] = passFail.map(({ cells }) => cells);
    expect(ann?.[0]).toMatchObject({ solved: true, rejected: 1, minutes: 10, first: true });
    expect(bob?.[0]).toMatchObject({ first: false });
    expect(bob?.[1]).toMatchObject({ solved: false, rejected: 1 });
    expect(cid?.[1]).toMatchObject({ pending: 1, rejected: 0 });
  });

  it('give users with equal results the same rank', () => {
    const rows = [row('ann', 'a', 3, 'AC'), row('bob', 'a', 3, 'AC'), row('cid', 'a', 4, 'AC')];
    const { passFail } = standingsOf(rows, [A], undefined);
    expect(passFail.map(({ rank }) => rank)).toEqual([1, 1, 3]);
  });

  it('sum the best scores, smallest ones where small is good, and then the earlier time ranks first', () => {
    const rows = [
      row('ann', 's', 0, 'WA', 40),
      row('ann', 's', 1, 'AC', 100),
      row('ann', 's', 2, 'WA', 10),
      row('bob', 's', 3, 'AC', 100),
      row('cid', 't', 4, 'AC', 7),
      row('cid', 't', 5, 'AC', 3),
    ];
    const { scores } = standingsOf(rows, [S, T], 0);
    expect(scores.map(({ rank, user, score }) => [rank, user, score])).toEqual([
      [1, 'ann', 100],
      [2, 'bob', 100],
      [3, 'cid', 3],
    ]);
  });

  it('stay numbers where scores add up to none', () => {
    const rows = [
      row('ann', 's', 0, 'AC', 1e308),
      row('ann', 't', 0, 'AC', 1e308),
      row('bob', 's', 0, 'AC', -1e308),
      row('bob', 't', 0, 'AC', -1e308),
    ];
    const { scores } = standingsOf(rows, [S, T], 0);
    expect(scores.map(({ user, score }) => [user, score])).toEqual([
      ['ann', Number.MAX_VALUE],
      ['bob', -Number.MAX_VALUE],
    ]);
  });

  it('never lower the rank of a user for an accepted submission', () => {
    const verdicts = fc.constantFrom<Verdict | undefined>('AC', 'WA', 'TLE', 'CE', undefined);
    const submissions = fc.array(
      fc.record({
        user: fc.constantFrom('ann', 'bob', 'cid'),
        problem: fc.constantFrom('a', 'b'),
        verdict: verdicts,
      }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(submissions, (given) => {
        const rows = given.map(({ user, problem, verdict }, at) => row(user, problem, at, verdict));
        const rankOf = (those: readonly ScoredRow[]): number =>
          standingsOf(those, [A, B], 0).passFail.find(({ user }) => user === 'ann')?.rank ?? 99;
        const better = [...rows, row('ann', 'a', rows.length, 'AC')];
        expect(rankOf(better)).toBeLessThanOrEqual(Math.max(1, rankOf(rows)));
      }),
    );
  });
});
