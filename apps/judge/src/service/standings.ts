/**
 * Standings, computed from all submissions in the order in which they came. Pure.
 *
 * Pass-fail problems by the rules of the ICPC: more solved is better, then less penalty, which is
 * the minutes from the start to each first accepted submission plus 20 for every rejected one
 * before it; compile errors and judge errors cost no penalty. Scoring problems by the sum of the
 * best scores, and then by the time at which that sum was reached.
 */
import type { z } from 'zod';
import type { StandingsView } from './api/schemas.ts';
import type { ScoredRow } from './submissions/submissions.ts';

export interface StandingsProblem {
  readonly id: string;
  readonly scoring: boolean;
  readonly objective: 'max' | 'min';
}

type Standings = Pick<z.infer<typeof StandingsView>, 'passFail' | 'scores'>;
type PassFailCell = Standings['passFail'][number]['cells'][number];
type ScoreCell = Standings['scores'][number]['cells'][number];

const PENALTY_MINUTES = 20;
const MINUTE_MS = 60_000;
const NOT_HELD = new Set(['CE', 'JE']);

/** @param startedAt ms since the epoch; undefined: the first submission. */
export function standingsOf(
  rows: readonly ScoredRow[],
  problems: readonly StandingsProblem[],
  startedAt: number | undefined,
): Standings {
  const start = startedAt ?? rows[0]?.submittedAt ?? 0;
  const passFail = problems.filter((problem) => !problem.scoring);
  const scoring = problems.filter((problem) => problem.scoring);
  const firstBy = firstSolvers(rows);
  const of = (those: readonly StandingsProblem[]) => {
    const ids = new Set(those.map(({ id }) => id));
    return Map.groupBy(
      rows.filter((row) => ids.has(row.problem)),
      (row) => row.user,
    );
  };
  const passFailRows = [...of(passFail)].map(([user, own]) => {
    const cells = passFail.map(({ id }) => passFailCell(id, own, start, firstBy.get(id) === user));
    const solved = cells.filter((cell) => cell.solved);
    const penalty = solved.reduce(
      (sum, cell) => sum + (cell.minutes ?? 0) + cell.rejected * PENALTY_MINUTES,
      0,
    );
    const last = Math.max(0, ...solved.map((cell) => cell.minutes ?? 0));
    return { user, solved: solved.length, penalty, cells, order: [-solved.length, penalty, last] };
  });
  const scoreRows = [...of(scoring)].map(([user, own]) => {
    const bests = scoring.map((problem) => best(problem, own));
    const sum = bests.reduce((total, { cell }) => total + (cell.score ?? 0), 0);
    // Scores near the largest number may add up to infinity, which JSON does not have.
    const score = Math.max(-Number.MAX_VALUE, Math.min(sum, Number.MAX_VALUE));
    const reachedAt = Math.max(0, ...bests.map(({ at }) => at));
    return { user, score, cells: bests.map(({ cell }) => cell), order: [-score, reachedAt] };
  });
  return { passFail: ranked(passFailRows), scores: ranked(scoreRows) };
}

function firstSolvers(rows: readonly ScoredRow[]): ReadonlyMap<string, string> {
  const first = new Map<string, string>();
  for (const { verdict, problem, user } of rows) {
    if (verdict === 'AC' && !first.has(problem)) first.set(problem, user);
  }
  return first;
}

function passFailCell(
  problem: string,
  own: readonly ScoredRow[],
  start: number,
  first: boolean,
): PassFailCell {
  const tries = own.filter((row) => row.problem === problem);
  const at = tries.findIndex((row) => row.verdict === 'AC');
  const before = at === -1 ? tries : tries.slice(0, at);
  const accepted = tries[at];
  return {
    problem,
    solved: accepted !== undefined,
    rejected: before.filter(({ verdict }) => verdict !== undefined && !NOT_HELD.has(verdict))
      .length,
    pending: tries.filter(({ verdict }) => verdict === undefined).length,
    minutes:
      accepted === undefined
        ? undefined
        : Math.max(0, Math.floor((accepted.submittedAt - start) / MINUTE_MS)),
    first: first && accepted !== undefined,
  };
}

function best(
  { id, objective }: StandingsProblem,
  own: readonly ScoredRow[],
): { cell: ScoreCell; at: number } {
  const tries = own.filter((row) => row.problem === id);
  let score: number | undefined;
  let at = 0;
  for (const row of tries) {
    if (row.score === undefined) continue;
    const better =
      score === undefined || (objective === 'max' ? row.score > score : row.score < score);
    if (!better) continue;
    score = row.score;
    at = row.submittedAt;
  }
  const pending = tries.filter(({ verdict }) => verdict === undefined).length;
  return { cell: { problem: id, score, submissions: tries.length, pending }, at };
}

function ranked<Row extends { readonly user: string; readonly order: readonly number[] }>(
  rows: readonly Row[],
): (Omit<Row, 'order'> & { rank: number })[] {
  const sorted = [...rows].sort((a, b) => compare(a.order, b.order) || (a.user < b.user ? -1 : 1));
  let rank = 0;
  return sorted.map(({ order, ...row }, index) => {
    const above = sorted[index - 1];
    if (above === undefined || compare(above.order, order) !== 0) rank = index + 1;
    return { ...row, rank };
  });
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
