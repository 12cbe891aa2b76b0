/** A problem as the API shows it. */
import type { z } from 'zod';
import { answerFileOf } from '../../judging/submission.ts';
import type { Problem, TestCase } from '../../package/problem.ts';
import type { ProblemSummary, ProblemView } from './schemas.ts';
import type { Availability } from '../problems/availability.ts';
import type { PublishedProblem } from '../problems/catalog.ts';
import { fileAddress, nameOf } from './package-file.ts';
import type { ScoredRow } from '../submissions/submissions.ts';
import type { TimeLimits } from '../problems/time-limits.ts';

type Summary = z.infer<typeof ProblemSummary>;

/** @param rows of all users; undefined when the caller is not signed in. */
export function problemSummary(
  published: PublishedProblem,
  timeLimits: TimeLimits,
  user: string | undefined,
  rows: readonly ScoredRow[] | undefined,
): Summary {
  const { problem } = published;
  const { rules } = problem.tests;
  const most = rules.version === '2025-09' ? rules.maxScore : undefined;
  return {
    id: problem.shortName,
    name: nameOf(problem.names, problem.shortName),
    types: typesOf(problem),
    timeMs: problem.type.submitAnswer ? undefined : timeOf(published, timeLimits),
    memoryBytes: problem.limits.memoryBytes,
    maxScore: problem.type.scoring && Number.isFinite(most) ? most : undefined,
    mine: rows === undefined ? undefined : mineOf(problem, rows, user),
  };
}

export function problemView(
  { problem, samples }: PublishedProblem,
  summary: Summary,
  languages: Availability['languages'],
  tests: readonly TestCase[],
): z.infer<typeof ProblemView> {
  const { limits, type } = problem;
  const taken = languages.filter(
    ({ code }) => problem.languages === 'all' || problem.languages.includes(code),
  );
  return {
    ...summary,
    names: { ...problem.names },
    statements: problem.statements.map(({ language, format }) => ({ language, format })),
    samples: [...samples],
    tests: tests.length,
    codeBytes: type.submitAnswer ? limits.outputBytes : limits.codeBytes,
    outputBytes: limits.outputBytes,
    languages: type.submitAnswer ? [] : taken,
    attachments: problem.attachments.map((path) => ({
      path: path.replace(/^attachments\//, ''),
      url: fileAddress(problem.shortName, path),
    })),
    answerFiles: type.submitAnswer ? tests.map((test) => answerFileOf(test, tests)) : undefined,
  };
}

function typesOf({ type }: Problem): Summary['types'] {
  return [
    type.scoring ? 'scoring' : 'pass-fail',
    ...(type.interactive ? (['interactive'] as const) : []),
    ...(type.multiPass ? (['multi-pass'] as const) : []),
    ...(type.submitAnswer ? (['submit-answer'] as const) : []),
  ];
}

/** @returns undefined while it is measured, and when that failed. */
function timeOf(published: PublishedProblem, timeLimits: TimeLimits): number | undefined {
  try {
    return timeLimits.of(published);
  } catch {
    return undefined;
  }
}

function mineOf(
  { shortName, objective }: Problem,
  rows: readonly ScoredRow[],
  user: string | undefined,
): NonNullable<Summary['mine']> {
  const own = rows.filter((row) => row.user === user && row.problem === shortName);
  const scores = own.flatMap(({ score }) => (score === undefined ? [] : [score]));
  const best = objective === 'max' ? Math.max(...scores) : Math.min(...scores);
  return {
    submissions: own.length,
    accepted: own.some(({ verdict }) => verdict === 'AC'),
    pending: own.some(({ verdict }) => verdict === undefined),
    score: scores.length === 0 ? undefined : best,
  };
}
