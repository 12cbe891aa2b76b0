/** Rows as the API shows them, by the rights of the caller. */
import type { z } from 'zod';
import type { SubmissionSummary, SubmissionView, TestView, UserView } from './schemas.ts';
import type { UserView as UserRow } from '../accounts/accounts.ts';
import type { LiveState } from '../submissions/live.ts';
import type { EarlierJudging, SubmissionRow } from '../submissions/submissions.ts';
import type { TestRecord } from '../../judging/events.ts';

const FOR_JUDGES = 'The problem misbehaved; its judges can see how.';

export function summaryView(row: SubmissionRow, live: LiveState): SubmissionSummary {
  const state: SubmissionSummary['state'] = row.judgedAt === undefined ? live.phase : 'judged';
  return {
    id: row.id,
    problem: row.problem,
    user: row.user,
    language: row.language,
    submittedAt: iso(row.submittedAt),
    sourceBytes: row.sourceBytes,
    state,
    judging: row.judging,
    judgedAt: row.judgedAt === undefined ? undefined : iso(row.judgedAt),
    verdict: row.verdict,
    score: row.score,
    maxScore: row.maxScore,
    failingTest: row.failingTest,
    cpuMs: row.cpuMs,
    wallMs: row.wallMs,
    memoryBytes: row.memoryBytes,
  };
}

/** @param admin whether to include details for judges. */
export function submissionView(
  row: SubmissionRow,
  tests: readonly TestRecord[],
  earlier: readonly EarlierJudging[],
  live: LiveState,
  admin: boolean,
): SubmissionView {
  const judged = row.judgedAt !== undefined;
  const shown = judged ? tests : live.tests.filter((test) => test !== undefined);
  return {
    ...summaryView(row, live),
    reason: row.verdict === 'JE' && !admin ? FOR_JUDGES : row.reason,
    note: judged ? undefined : live.note,
    compileOutput: row.compileOutput === '' ? undefined : row.compileOutput,
    tests: shown.map((test) => testView(test, admin)),
    groups: [...(judged ? row.groups : live.groups)],
    total: judged ? undefined : live.total,
    current: judged ? undefined : live.current,
    attempt: judged ? row.attempts : live.attempt || undefined,
    worker: admin && !judged ? live.worker : undefined,
    earlier: earlier.map(({ number, verdict, score, judgedAt }) => ({
      judging: number,
      verdict,
      score,
      judgedAt: iso(judgedAt),
    })),
  };
}

export function testView(test: TestRecord, admin: boolean): TestView {
  const { usage, judgeMessage, ...rest } = test;
  return {
    ...rest,
    reason: test.verdict === 'JE' && !admin ? FOR_JUDGES : test.reason,
    ...usage,
    judgeMessage: admin ? judgeMessage : undefined,
  };
}

export function userView({ name, admin, createdAt, keys }: UserRow): z.infer<typeof UserView> {
  return {
    name,
    admin,
    createdAt: iso(createdAt),
    keys: keys.map((key) => ({
      id: key.id,
      createdAt: iso(key.createdAt),
      revokedAt: key.revokedAt === undefined ? undefined : iso(key.revokedAt),
    })),
  };
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
