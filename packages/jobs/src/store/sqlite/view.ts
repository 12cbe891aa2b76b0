/** The views of the API: jobs, queues, logs. */
import { SkeinError } from '@skein/api/errors';
import { hasEnded, noJobs } from '@skein/api/job-states';
import type { JobFilter, JobState, QueueView } from '../../contract.ts';
import { type JobRow, rowById, rowBySeq, viewOf } from './job-row.ts';
import type { JobView, ListedView } from './job-view.ts';
import { logSize } from './transitions/lease.ts';
import type { Sql } from './sql.ts';
import type { Transaction } from './transaction.ts';

export function job({ sql }: Transaction, id: string): JobView | undefined {
  const row = rowById(sql, id);
  return row && viewOf(sql, row);
}

/**
 * The condition of the index that holds jobs of this state: no index holds all jobs of all states.
 */
function indexed(state: JobState): string | undefined {
  if (hasEnded(state)) return 'ended_at IS NOT NULL';
  if (state !== 'running') return undefined; // ready and blocked have an index of their own
  return `seq IN (SELECT job FROM attempts WHERE lease_until IS NOT NULL
    UNION ALL SELECT seq FROM jobs WHERE held = 1)`;
}

/** Numbers of matching jobs, newest first. */
function numbers(sql: Sql, filter: JobFilter, before: number | undefined): number[] {
  const { group, queue, tenant, state } = filter;
  const equal = { grp: group, queue, tenant, state };
  const wanted = Object.entries(equal).filter(([, value]) => value !== undefined);
  const terms = wanted.map(([column]) => `${column} = ?`);
  const implied = state && indexed(state);
  if (implied !== undefined) terms.push(implied);
  if (filter.folded === true) terms.push(isHead(queue !== undefined));
  if (before !== undefined) terms.push('seq < ?');
  const where = terms.length === 0 ? '' : `WHERE ${terms.join(' AND ')}`;
  return sql
    .all<{ seq: number }>(
      `SELECT seq FROM jobs ${where} ORDER BY seq DESC LIMIT ?`,
      ...wanted.map(([, value]) => value!),
      ...(before === undefined ? [] : [before]),
      filter.limit + 1,
    )
    .map(({ seq }) => seq);
}

/** Whether the row is the one of its group that a folded list shows, in SQL. */
function isHead(sameQueue: boolean): string {
  const alike = `other.tenant = jobs.tenant${sameQueue ? ' AND other.queue = jobs.queue' : ''}`;
  return `(grp IS NULL OR grp = id OR NOT EXISTS (
    SELECT 1 FROM jobs AS other WHERE other.id = jobs.grp AND ${alike}
    UNION ALL SELECT 1 FROM jobs AS other
      WHERE other.grp = jobs.grp AND other.seq < jobs.seq AND other.id <> other.grp AND ${alike}))`;
}

/** The group that a job of a folded list stands for, if it has other jobs. */
function groupBehind(sql: Sql, { id, grp, tenant }: JobRow): string | undefined {
  const groups = grp === null || grp === id ? [id] : [id, grp];
  return groups.find(
    (group) =>
      sql.get('SELECT 1 FROM jobs WHERE grp = ? AND tenant = ? AND id <> ?', group, tenant, id) !==
      undefined,
  );
}

/** The same over all queues: what holds the jobs of a state holds them by queue, unless they run. */
function numbersOfState(sql: Sql, filter: JobFilter, before: number | undefined): number[] {
  return sql
    .all<{ queue: string }>('SELECT queue FROM queues')
    .flatMap(({ queue }) => numbers(sql, { ...filter, queue }, before))
    .toSorted((a, b) => b - a)
    .slice(0, filter.limit + 1);
}

/** Newest first. @throws SkeinError REQUEST_INVALID when `after` is not from a page. */
export function jobs(
  { sql }: Transaction,
  filter: JobFilter,
): { jobs: ListedView[]; next?: string | undefined } {
  const before = filter.after === undefined ? undefined : Number(filter.after);
  if (before !== undefined && !Number.isSafeInteger(before)) {
    throw new SkeinError('REQUEST_INVALID', `"${filter.after}" is not the end of a page.`);
  }
  const { state, queue, group } = filter;
  const byQueue =
    state !== undefined && state !== 'running' && queue === undefined && group === undefined;
  const found = (byQueue ? numbersOfState : numbers)(sql, filter, before);
  const page = found.slice(0, filter.limit);
  return {
    jobs: page.map((seq) => {
      const row = rowBySeq(sql, seq);
      const view = viewOf(sql, row);
      const behind = filter.folded === true ? groupBehind(sql, row) : undefined;
      return behind === undefined ? view : { ...view, behind };
    }),
    ...(found.length > filter.limit ? { next: String(page.at(-1)) } : {}),
  };
}

export function groupCounts(
  { sql }: Transaction,
  group: string,
  tenant = '',
): Record<JobState, number> {
  const counts = noJobs();
  // The thread of the store gets an argument that is left out as null.
  const ofTenant = tenant ? 'AND tenant = ?' : '';
  for (const { state, jobs } of sql.all<{ state: JobState; jobs: number }>(
    `SELECT state, count(*) AS jobs FROM jobs WHERE grp = ? AND id <> grp ${ofTenant} GROUP BY state`,
    group,
    ...(tenant ? [tenant] : []),
  )) {
    counts[state] = jobs;
  }
  return counts;
}

export function queues({ sql }: Transaction): QueueView[] {
  return sql
    .all<{ queue: string; mode: QueueView['mode'] }>('SELECT * FROM queues ORDER BY queue')
    .map(({ queue, mode }) => {
      const counts = noJobs();
      for (const row of sql.all<{ state: JobState; jobs: number }>(
        'SELECT state, jobs FROM counts WHERE queue = ?',
        queue,
      )) {
        counts[row.state] = row.jobs;
      }
      const oldest = sql.get<{ at: number | null }>(
        "SELECT min(ready_at) AS at FROM jobs WHERE queue = ? AND state = 'ready'",
        queue,
      );
      const attempts = sql
        .all<{ outcome: string; attempts: number }>(
          'SELECT outcome, attempts FROM outcomes WHERE queue = ?',
          queue,
        )
        .map((row) => [row.outcome, row.attempts] as const);
      return {
        queue,
        mode,
        counts,
        oldestReadyAt: oldest?.at ?? undefined,
        attempts: Object.fromEntries(attempts),
      };
    });
}

export function log(
  { sql }: Transaction,
  id: string,
  attempt: number,
  offset: number,
  maxBytes: number,
): { chunk: Uint8Array; size: number; ended: boolean } {
  const found = sql.get<{ token: number; ended_at: number | null }>(
    `SELECT attempts.token, attempts.ended_at FROM attempts JOIN jobs ON jobs.seq = attempts.job
     WHERE jobs.id = ? AND number = ?`,
    id,
    attempt,
  );
  if (!found) {
    const ended = typeof rowById(sql, id)?.ended_at === 'number';
    return { chunk: new Uint8Array(), size: 0, ended };
  }
  const parts: Uint8Array[] = [];
  let left = maxBytes;
  const chunks = sql.all<{ offset: number; chunk: Uint8Array }>(
    `SELECT offset, chunk FROM logs WHERE token = ? AND offset < ? AND offset + length(chunk) > ?
     ORDER BY offset`,
    found.token,
    offset + maxBytes,
    offset,
  );
  for (const { offset: begin, chunk } of chunks) {
    const part = chunk.subarray(Math.max(0, offset - begin)).subarray(0, left);
    parts.push(part);
    left -= part.length;
  }
  return {
    chunk: Buffer.concat(parts),
    size: logSize(sql, found.token),
    ended: found.ended_at !== null,
  };
}
