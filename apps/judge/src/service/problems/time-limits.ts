/**
 * The time limits that submissions are judged by. When a package leaves its limit to be inferred, a
 * job on one worker measures it once, and it is kept by the digest of the package: all submissions
 * get the same limit, on every worker.
 */
import { SkeinError } from '@skein/api';
import type { Database } from '@skein/state';
import type { JobSpec, JobStore } from '@skein/jobs';
import { taskWork } from '@skein/jobs/task';
import type { PublishedProblem } from './catalog.ts';
import { judgeTimeLimit } from '../worker/judge-tasks.ts';
import { JUDGE_QUEUE } from '../worker/judge-worker.ts';
import { memoryOf } from '../submissions/judging-job.ts';

export type TimeLimits = ReturnType<typeof openTimeLimits>;

/** For submit-answer problems, which run no submitted program. */
const NO_PROGRAM_MS = 30_000;
const RETRY_AFTER_MS = 5000;
const MEASURING_MS = 30 * 60_000;
const RETENTION_MS = 24 * 3_600_000;

export function openTimeLimits(database: Database, store: Pick<JobStore, 'enqueue' | 'job'>) {
  const select = database.prepare(
    'SELECT time_ms, time_job, failure FROM packages WHERE digest = ?',
  );
  const setJob = database.prepare(
    'UPDATE packages SET time_job = ?, failure = NULL WHERE digest = ?',
  );
  const setTime = database.prepare(
    'UPDATE packages SET time_ms = ?, failure = NULL WHERE digest = ?',
  );
  const setFailure = database.prepare('UPDATE packages SET failure = ? WHERE digest = ?');
  const selectFailed = database.prepare('SELECT digest FROM packages WHERE failure IS NOT NULL');
  /** Measured again in this start: since the last one a toolchain may have been installed. */
  const again = new Set(
    database.read(() => selectFailed.all()).map(({ digest }) => digest as string),
  );

  async function lookAt({ problem, digest }: PublishedProblem): Promise<void> {
    if (problem.limits.timeMs !== undefined || problem.type.submitAnswer) return;
    const row = database.read(() => select.get(digest));
    const isAgain = again.has(digest);
    if (row === undefined || row['time_ms'] !== null) return;
    if (row['failure'] !== null && !isAgain) return;
    const before = (row['time_job'] as string | null) ?? undefined;
    const job = before === undefined || isAgain ? undefined : await store.job(before);
    if (job === undefined) {
      const spec = measuring({ problem, digest }, isAgain ? before : undefined);
      const [asked] = await store.enqueue([spec]);
      if (asked === undefined) return;
      database.write('power-cut', () => setJob.run(asked.id, digest));
      again.delete(digest);
    } else if (job.state === 'succeeded') {
      const { timeMs } = judgeTimeLimit.output.parse(job.result?.value);
      database.write('power-cut', () => setTime.run(timeMs, digest));
    } else if (job.state === 'failed' || job.state === 'dead' || job.state === 'cancelled') {
      const why = job.message ?? job.cause ?? job.state;
      database.write('power-cut', () => setFailure.run(why, digest));
    }
  }

  return {
    /** Cpu time in ms. @throws SkeinError PROBLEM_NOT_READY, PROBLEM_LIMITS. */
    of({ problem, digest }: PublishedProblem): number {
      if (problem.limits.timeMs !== undefined) return problem.limits.timeMs;
      if (problem.type.submitAnswer) return NO_PROGRAM_MS;
      const row = database.read(() => select.get(digest));
      if (typeof row?.['time_ms'] === 'number') return row['time_ms'];
      if (typeof row?.['failure'] === 'string' && !again.has(digest)) {
        throw new SkeinError(
          'PROBLEM_LIMITS',
          `The time limit of ${problem.shortName} could not be measured: ${row['failure']} It is measured again when the judge starts.`,
        );
      }
      throw new SkeinError(
        'PROBLEM_NOT_READY',
        `The time limit of ${problem.shortName} is being measured from its example submissions.`,
        { retryAfterMs: RETRY_AFTER_MS },
      );
    },
    /** Continues pending measurements: enqueues their jobs, or stores their results. */
    async look(problems: Iterable<PublishedProblem>): Promise<void> {
      for (const problem of problems) await lookAt(problem);
    },
  };
}

/** @param failed the job that could not measure it before. */
function measuring(
  { problem, digest }: Pick<PublishedProblem, 'problem' | 'digest'>,
  failed: string | undefined,
): JobSpec {
  const input = { package: { digest, shortName: problem.shortName } };
  return {
    queue: JUDGE_QUEUE,
    tenant: JUDGE_QUEUE,
    name: `time limit of ${problem.shortName}`,
    work: taskWork(judgeTimeLimit, { offered: true }, input, { wallMs: MEASURING_MS }),
    priority: 0,
    resources: { cores: 1, memoryBytes: memoryOf(problem) },
    requires: [`task:${judgeTimeLimit.name}`],
    retry: { maxAttempts: 3, backoffMs: 1000, maxBackoffMs: 30_000 },
    parents: [],
    retentionMs: RETENTION_MS,
    idempotencyKey: `time-limit/${digest}${failed === undefined ? '' : `/after/${failed}`}`,
  };
}
