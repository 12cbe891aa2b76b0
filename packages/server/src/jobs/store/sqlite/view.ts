/** What people see: jobs, queues, logs. */
import { SkeinError } from '@skein/api/errors';
import type { JobFilter, JobState, QueueView } from '../../contract.ts';
import { rowById, viewOf, type JobRow } from './job-row.ts';
import type { JobView } from './job-view.ts';
import { logSize } from './lease.ts';
import type { Turn } from './turn.ts';

export function job({ sql }: Turn, id: string): JobView | undefined {
  const row = rowById(sql, id);
  return row && viewOf(sql, row);
}

/** Newest first. @throws SkeinError REQUEST_INVALID when `after` is not from a page. */
export function jobs(
  { sql }: Turn,
  filter: JobFilter,
): { jobs: JobView[]; next?: string | undefined } {
  const wanted: [string, string | number][] = [];
  if (filter.group !== undefined) wanted.push(['grp = ?', filter.group]);
  if (filter.queue !== undefined) wanted.push(['queue = ?', filter.queue]);
  if (filter.state !== undefined) wanted.push(['state = ?', filter.state]);
  if (filter.tenant !== undefined) wanted.push(['tenant = ?', filter.tenant]);
  if (filter.after !== undefined) {
    const before = Number(filter.after);
    if (!Number.isSafeInteger(before)) {
      throw new SkeinError('REQUEST_INVALID', `"${filter.after}" is not the end of a page.`);
    }
    wanted.push(['seq < ?', before]);
  }
  const where = wanted.length === 0 ? '' : `WHERE ${wanted.map(([term]) => term).join(' AND ')}`;
  const rows = sql.all<JobRow>(
    `SELECT * FROM jobs ${where} ORDER BY seq DESC LIMIT ?`,
    ...wanted.map(([, value]) => value),
    filter.limit + 1,
  );
  const page = rows.slice(0, filter.limit);
  return {
    jobs: page.map((row) => viewOf(sql, row)),
    ...(rows.length > filter.limit ? { next: String(page.at(-1)?.seq) } : {}),
  };
}

export function queues({ sql }: Turn): QueueView[] {
  return sql
    .all<{ queue: string; mode: QueueView['mode'] }>('SELECT * FROM queues ORDER BY queue')
    .map(({ queue, mode }) => {
      const counts: Record<JobState, number> = {
        blocked: 0,
        ready: 0,
        running: 0,
        succeeded: 0,
        failed: 0,
        cancelled: 0,
        dead: 0,
      };
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
      return { queue, mode, counts, oldestReadyAt: oldest?.at ?? undefined };
    });
}

export function log(
  { sql }: Turn,
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
