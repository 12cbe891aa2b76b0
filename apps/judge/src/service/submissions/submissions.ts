/**
 * Submissions and their judgings. A judging is opened when a submission arrives or is rejudged, and
 * closed once: a second verdict changes nothing.
 */
import { SkeinError } from '@skein/api';
import type { Database } from '@skein/state';
import type { GroupRecord, JudgementRecord, TestRecord } from '../../judging/events.ts';
import type { Verdict } from '../../judging/verdict.ts';

type Row = Readonly<Record<string, unknown>>;

export interface NewSubmissionRow {
  readonly user: string;
  readonly problem: string;
  /** The language that the author named; for a judged submission, the one that judging detected. */
  readonly language: string | undefined;
  readonly entryPoint: string | undefined;
  readonly source: string;
  readonly sourceBytes: number;
  readonly package: string;
}

type Judged = JudgementRecord['usage'] &
  Pick<JudgementRecord, 'verdict' | 'reason' | 'score' | 'maxScore' | 'failingTest'>;

/** With the last judging; the fields that only its end sets are undefined until then. */
export interface SubmissionRow
  extends NewSubmissionRow, Readonly<{ [Field in keyof Judged]: Judged[Field] | undefined }> {
  readonly id: number;
  /** Ms since the epoch, as all times here. */
  readonly submittedAt: number;
  readonly judging: number;
  readonly job: string | undefined;
  readonly judgedAt: number | undefined;
  readonly compileOutput: string | undefined;
  readonly groups: readonly GroupRecord[];
  readonly attempts: number | undefined;
}

export interface EarlierJudging {
  readonly number: number;
  readonly requestedBy: string;
  readonly judgedAt: number;
  readonly verdict: Verdict;
  readonly score: number | undefined;
}

/** Input of the standings: one row per submission, oldest first. */
export type ScoredRow = Pick<
  SubmissionRow,
  'user' | 'problem' | 'submittedAt' | 'verdict' | 'score'
>;

export interface SubmissionFilter {
  readonly user?: string | undefined;
  readonly problem?: string | undefined;
  /** Only those with smaller numbers. */
  readonly before?: number | undefined;
  readonly limit: number;
}

export type Submissions = ReturnType<typeof openSubmissions>;

const SELECT = `
  SELECT s.*, j.package, j.job, j.judged_at, j.verdict, j.reason, j.score, j.max_score,
         j.failing_test, j.cpu_ms, j.wall_ms, j.memory_bytes, j.compile_output, j.groups,
         j.attempts, coalesce(s.language, j.language) AS spoken
  FROM submissions s JOIN judgings j ON j.submission = s.id AND j.number = s.judging`;

export function openSubmissions(database: Database, now: () => number) {
  const insert = database.prepare(
    `INSERT INTO submissions (user, problem, language, entry_point, source, source_bytes, submitted_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
  );
  const insertJudging = database.prepare(
    `INSERT INTO judgings (submission, number, package, requested_at, requested_by)
     VALUES (?, ?, ?, ?, ?)`,
  );
  const byId = database.prepare(`${SELECT} WHERE s.id = ?`);
  const filtered = database.prepare(
    `${SELECT} WHERE (?1 IS NULL OR s.user = ?1) AND (?2 IS NULL OR s.problem = ?2)
       AND (?3 IS NULL OR s.id < ?3) ORDER BY s.id DESC LIMIT ?4`,
  );
  const unjudged = database.prepare(
    `${SELECT} WHERE s.id IN (SELECT submission FROM judgings WHERE judged_at IS NULL)
       AND j.judged_at IS NULL ORDER BY s.id`,
  );
  const nth = database.prepare(
    'SELECT submitted_at FROM submissions WHERE user = ? ORDER BY id DESC LIMIT 1 OFFSET ?',
  );
  const countOpen = database.prepare(
    `SELECT count(*) AS open FROM judgings j JOIN submissions s ON s.id = j.submission
     WHERE j.judged_at IS NULL AND j.number = 1 AND s.user = ?`,
  );
  const setPackage = database.prepare(
    'UPDATE judgings SET package = ? WHERE submission = ? AND number = ? AND judged_at IS NULL',
  );
  const setJob = database.prepare(
    'UPDATE judgings SET job = ? WHERE submission = ? AND number = ? AND judged_at IS NULL',
  );
  const closeJudging = database.prepare(
    `UPDATE judgings SET judged_at = ?, verdict = ?, reason = ?, score = ?, max_score = ?,
       failing_test = ?, language = ?, cpu_ms = ?, wall_ms = ?, memory_bytes = ?,
       compile_output = ?, groups = ?, attempts = ?
     WHERE submission = ? AND number = ? AND judged_at IS NULL`,
  );
  const insertTest = database.prepare(
    `INSERT INTO tests (submission, judging, position, name, verdict, reason, cpu_ms, wall_ms,
       memory_bytes, passes, score, details) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const selectTests = database.prepare(
    `SELECT name, verdict, reason, cpu_ms, wall_ms, memory_bytes, passes, score, details
     FROM tests WHERE submission = ? AND judging = ? ORDER BY position`,
  );
  const selectEarlier = database.prepare(
    `SELECT number, requested_by, judged_at, verdict, score FROM judgings
     WHERE submission = ? AND number < ? ORDER BY number`,
  );
  const bump = database.prepare(
    'UPDATE submissions SET judging = judging + 1 WHERE id = ? RETURNING judging',
  );
  const ofProblem = database.prepare(
    `SELECT s.id, j.judged_at FROM submissions s JOIN judgings j ON j.submission = s.id AND j.number = s.judging
     WHERE s.problem = ? ORDER BY s.id`,
  );
  const selectScored = database.prepare(
    `SELECT s.user, s.problem, s.submitted_at, j.verdict, j.score FROM submissions s
     JOIN judgings j ON j.submission = s.id AND j.number = s.judging ORDER BY s.id`,
  );

  const find = (id: number): SubmissionRow | undefined => {
    const row = database.read(() => byId.get(id));
    return row === undefined ? undefined : submissionOf(row);
  };

  return {
    add: (row: NewSubmissionRow): number =>
      database.write('power-cut', () => {
        const { user, problem, language, entryPoint, source, sourceBytes } = row;
        const at = now();
        const inserted = insert.get(
          user,
          problem,
          language ?? null,
          entryPoint ?? null,
          source,
          sourceBytes,
          at,
        );
        const id = (inserted as { id: number }).id;
        insertJudging.run(id, 1, row.package, at, user);
        return id;
      }),
    find,
    /** Newest first. */
    list: ({ user, problem, before, limit }: SubmissionFilter): SubmissionRow[] =>
      database
        .read(() => filtered.all(user ?? null, problem ?? null, before ?? null, limit))
        .map(submissionOf),
    testsOf: (id: number, judging: number): TestRecord[] =>
      database.read(() => selectTests.all(id, judging)).map(testOf),
    earlier: (id: number, judging: number): EarlierJudging[] =>
      database.read(() => selectEarlier.all(id, judging)).map(recordOf<EarlierJudging>),
    /** When the `count`th newest submission of a user came in; undefined when there are fewer. */
    nthNewest(user: string, count: number): number | undefined {
      const row = database.read(() => nth.get(user, count - 1));
      return row === undefined ? undefined : (row['submitted_at'] as number);
    },
    /** The number of submissions that wait for their first verdict. */
    openOf: (user: string): number =>
      (database.read(() => countOpen.get(user)) as { open: number }).open,
    /** Unjudged submissions, oldest first. */
    open: (): SubmissionRow[] => database.read(() => unjudged.all()).map(submissionOf),
    /** Stores by which package the judging is, where it was replaced before there was a job. */
    setPackage: (id: number, judging: number, digest: string): void =>
      void database.write('power-cut', () => setPackage.run(digest, id, judging)),
    /** Stores the job of the judging. @returns false when that judging has ended. */
    assignJob: (id: number, judging: number, job: string | undefined): boolean =>
      database.write('power-cut', () => setJob.run(job ?? null, id, judging)).changes === 1,
    /** @returns false when that judging has ended already. */
    close: (id: number, judging: number, record: JudgementRecord, attempts: number): boolean =>
      database.write('power-cut', () => {
        const { usage } = record;
        const { changes } = closeJudging.run(
          now(),
          record.verdict,
          record.reason,
          record.score ?? null,
          record.maxScore ?? null,
          record.failingTest ?? null,
          record.language ?? null,
          usage.cpuMs,
          usage.wallMs,
          Math.round(usage.memoryBytes),
          record.compileOutput,
          JSON.stringify(record.groups),
          attempts,
          id,
          judging,
        );
        if (changes === 0) return false;
        for (const [position, test] of record.tests.entries()) {
          insertTest.run(id, judging, position, ...valuesOf(test));
        }
        return true;
      }),
    /** Opens another judging. @returns false when the last one has not ended. */
    reopen: (id: number, requestedBy: string, packageDigest: string): boolean =>
      database.write('power-cut', () => {
        const row = find(id);
        if (row === undefined) {
          throw new SkeinError('SUBMISSION_UNKNOWN', `There is no submission ${id}.`);
        }
        if (row.judgedAt === undefined) return false;
        const { judging } = bump.get(id) as { judging: number };
        insertJudging.run(id, judging, packageDigest, now(), requestedBy);
        return true;
      }),
    /** Submissions to a problem, and whether each is judged. */
    ofProblem: (problem: string): { readonly id: number; readonly isJudged: boolean }[] =>
      database
        .read(() => ofProblem.all(problem))
        .map((row) => ({ id: row['id'] as number, isJudged: row['judged_at'] !== null })),
    // By hand: the standings read every submission.
    scored: (): ScoredRow[] =>
      database
        .read(() => selectScored.all())
        .map((row) => ({
          user: row['user'] as string,
          problem: row['problem'] as string,
          submittedAt: row['submitted_at'] as number,
          verdict: (row['verdict'] as Verdict | null) ?? undefined,
          score: (row['score'] as number | null) ?? undefined,
        })),
  };
}

type Stored = Omit<SubmissionRow, 'language' | 'groups'>;

function submissionOf(row: Row): SubmissionRow {
  const { spoken, groups, ...stored } = recordOf<Stored & { spoken?: string; groups?: string }>(
    row,
  );
  return {
    ...stored,
    language: spoken,
    groups: JSON.parse(groups ?? '[]') as GroupRecord[],
  };
}

function valuesOf(test: TestRecord) {
  const { judgeMessage, teamMessage, hint, feedback } = test;
  const details = { judgeMessage, teamMessage, hint, feedback };
  const any = Object.values(details).some((value) => value !== undefined);
  return [
    test.name,
    test.verdict,
    test.reason,
    test.usage.cpuMs,
    test.usage.wallMs,
    Math.round(test.usage.memoryBytes),
    test.passes,
    test.score ?? null,
    any ? JSON.stringify(details) : null,
  ] as const;
}

function testOf(row: Row): TestRecord {
  const { cpuMs, wallMs, memoryBytes, details, ...record } = recordOf<
    Omit<TestRecord, 'usage'> & TestRecord['usage'] & { details?: string }
  >(row);
  return {
    ...record,
    usage: { cpuMs, wallMs, memoryBytes },
    ...(JSON.parse(details ?? '{}') as Partial<TestRecord>),
  };
}

/** The columns by their names in camel case; undefined for SQLite's null. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller declares the columns' types
function recordOf<T>(row: Row): T {
  const fields = Object.entries(row).map(([column, value]) => [
    column.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value ?? undefined,
  ]);
  return Object.fromEntries(fields) as T;
}
