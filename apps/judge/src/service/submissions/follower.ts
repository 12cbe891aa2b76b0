/**
 * Brings open judgings to their verdicts: enqueues their jobs, follows the log of each while it
 * runs, and closes the judging with the job's result.
 *
 *     open judging ─enqueue─► job ─log─► live steps ─artifact─► verdict in the database
 *
 * The sweep examines every open judging at the start and periodically, so it finds what was missed
 * while the store was unreachable or after the service was killed between two steps. Every step may
 * be done twice: enqueueing by its idempotency key, closing by the database.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import type { Job, JobStore, WorkerLog } from '@skein/jobs';
import { readArtifact } from '../worker/bytes.ts';
import { judgeSubmission } from '../worker/judge-tasks.ts';
import { JUDGE_QUEUE } from '../worker/judge-worker.ts';
import { judgingJob } from './judging-job.ts';
import type { JudgeParts } from '../judge-service.ts';
import type { SubmissionRow } from './submissions.ts';
import { JudgementRecord } from '../../judging/events.ts';
import { parseLive } from '../worker/wire.ts';

export interface FollowerOptions extends JudgeParts {
  readonly store: JobStore;
  /** Distinguishes the jobs of several services in one store. */
  readonly service: string;
  readonly log: WorkerLog;
}

export interface Follower {
  /** Schedules an examination of a submission. */
  notice(submission: number): void;
  close(): Promise<void>;
}

/** Offset to which the log of an attempt was read. */
interface Reading {
  readonly job: string;
  attempt: number;
  offset: number;
  /** The incomplete last line. */
  rest: string;
  readonly decoder: TextDecoder;
}

const LOG_CHUNK = 256 * 1024;
const MAX_JUDGEMENT = 128 * 2 ** 20;
const AFTER_AN_OUTAGE_MS = 500;
const SWEEP_MS = 10_000;

export function startFollower(options: FollowerOptions): Follower {
  const { store, artifacts, submissions, catalog, timeLimits, live, service, log } = options;
  const closing = new AbortController();
  const { signal } = closing;
  const readings = new Map<number, Reading>();
  /** Submissions by the jobs that judge them. */
  const byJob = new Map<string, number>();
  /** Examinations in progress, and whether another one is requested. */
  const examinations = new Map<number, { again: boolean; done: Promise<void> }>();

  function notice(submission: number): void {
    const running = examinations.get(submission);
    if (running !== undefined) running.again = true;
    else if (!signal.aborted) begin(submission);
  }

  function begin(submission: number): void {
    const examination = { again: false, done: Promise.resolve() };
    examinations.set(submission, examination);
    examination.done = examine(submission)
      .catch((error: unknown) => {
        // The next sweep retries it.
        log('warn', 'A submission could not be followed.', { submission, err: error });
      })
      .then(() => {
        examinations.delete(submission);
        if (examination.again) notice(submission);
      });
  }

  async function examine(id: number): Promise<void> {
    const row = submissions.find(id);
    if (row === undefined || row.judgedAt !== undefined) return drop(id, row?.job);
    const job = row.job === undefined ? undefined : await store.job(row.job);
    if (job === undefined) return enqueue(row);
    byJob.set(job.id, id);
    await readLog(row, job);
    if (job.state === 'succeeded') return conclude(row, job);
    if (job.state === 'failed' || job.state === 'dead' || job.state === 'cancelled') {
      return close(row, job, brokenRecord(job));
    }
  }

  async function enqueue(row: SubmissionRow): Promise<void> {
    const published = catalog.problems.get(row.problem);
    if (published === undefined) {
      return live.note(row.id, `The problem ${row.problem} is not here at the moment.`);
    }
    const timeMs = timeLimits.of(published);
    const { problem, digest } = published;
    // The limits below belong to the package that is here: its tests must have the same one.
    if (row.package !== digest) submissions.setPackage(row.id, row.judging, digest);
    const judged = { ...row, package: digest };
    const [job] = await store.enqueue([judgingJob(judged, problem, timeMs, service)]);
    if (job === undefined || !submissions.assignJob(row.id, row.judging, job.id)) return;
    byJob.set(job.id, row.id);
    // The job may have started before its id was in the database.
    notice(row.id);
  }

  async function readLog({ id }: SubmissionRow, job: Job): Promise<void> {
    const attempt = job.attempts.at(-1);
    if (attempt === undefined) return;
    let reading = readings.get(id);
    if (reading?.job !== job.id || reading.attempt !== attempt.number) {
      reading = {
        job: job.id,
        attempt: attempt.number,
        offset: 0,
        rest: '',
        decoder: new TextDecoder(),
      };
      readings.set(id, reading);
      const before = job.attempts.at(-2);
      const note =
        before === undefined
          ? undefined
          : `Attempt ${before.number} ended with ${before.outcome ?? 'a lost worker'}; this is attempt ${attempt.number}.`;
      live.begin(id, attempt.number, attempt.worker, note);
    }
    for (;;) {
      const { chunk } = await store.log(job.id, attempt.number, reading.offset, LOG_CHUNK);
      if (chunk.byteLength === 0) return;
      reading.offset += chunk.byteLength;
      const lines = (reading.rest + reading.decoder.decode(chunk, { stream: true })).split('\n');
      reading.rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = parseLive(line);
        if (event !== undefined) live.apply(id, event);
      }
    }
  }

  async function conclude(row: SubmissionRow, job: Job): Promise<void> {
    const { judgement } = judgeSubmission.output.parse(job.result?.value);
    const bytes = await readArtifact(artifacts, judgement, MAX_JUDGEMENT);
    close(row, job, JudgementRecord.parse(readJson(bytes.toString(), JSON_BOUNDS.stored)));
  }

  function close(row: SubmissionRow, job: Job, record: JudgementRecord): void {
    if (submissions.close(row.id, row.judging, record, job.attempts.length)) {
      log('info', 'Judged.', { submission: row.id, judging: row.judging, verdict: record.verdict });
    }
    drop(row.id, job.id);
    live.judged(row.id);
  }

  function drop(id: number, job: string | undefined): void {
    readings.delete(id);
    if (job !== undefined) byJob.delete(job);
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        const events = store.events({ queue: JUDGE_QUEUE }, signal);
        for await (const { job } of events) {
          const submission = byJob.get(job);
          if (submission !== undefined) notice(submission);
        }
      } catch (error) {
        if (!signal.aborted) log('warn', 'The events of the jobs stopped.', { err: error });
      }
      await pause(AFTER_AN_OUTAGE_MS);
    }
  }

  async function sweep(): Promise<void> {
    while (!signal.aborted) {
      try {
        await timeLimits.look(catalog.problems.values());
        for (const { id } of submissions.open()) notice(id);
      } catch (error) {
        log('warn', 'The sweep over what is open failed.', { err: error });
      }
      await pause(SWEEP_MS);
    }
  }

  const pause = (ms: number): Promise<void> =>
    sleep(ms, undefined, { signal }).catch(() => undefined);
  const running = [follow(), sweep()];

  return {
    notice,
    async close() {
      closing.abort();
      await Promise.allSettled(running);
      await Promise.all([...examinations.values()].map(({ done }) => done));
    },
  };
}

/** The judging itself broke; the reason is for the judges. */
function brokenRecord({ state, cause, message }: Job): JudgementRecord {
  return {
    verdict: 'JE',
    reason: `The job is ${state}${cause === undefined ? '' : ` (${cause})`}: ${message ?? 'no reason was given'}`,
    usage: { cpuMs: 0, wallMs: 0, memoryBytes: 0 },
    compileOutput: '',
    tests: [],
    groups: [],
  };
}
