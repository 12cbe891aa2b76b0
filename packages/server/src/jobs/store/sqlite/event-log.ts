/** Events with growing numbers, and listeners that read on from one. */
import type { JobEvent } from '../../contract.ts';
import { EVENTS_KEPT } from '../bounds.ts';
import type { JobRow } from './job-row.ts';
import type { Sql } from './sql.ts';
import type { Turn } from './turn.ts';

export function addEvent(turn: Turn, row: JobRow, kind: JobEvent['kind']): void {
  turn.sql.run(
    `INSERT INTO events (at, job, queue, tenant, grp, kind, state, cause, progress)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    turn.now,
    row.id,
    row.queue,
    row.tenant,
    row.grp,
    kind,
    row.state,
    row.cause,
    kind === 'progress' ? row.progress : null,
  );
  turn.heard.events = true;
}

interface EventRow extends Omit<JobEvent, 'progress' | 'group'> {
  readonly grp: string | null;
  readonly progress: string | null;
}

export interface EventFilter {
  readonly job?: string | undefined;
  readonly group?: string | undefined;
  readonly queue?: string | undefined;
}

export const lastSequence = (sql: Sql): number =>
  sql.get<{ last: number | null }>('SELECT max(sequence) AS last FROM events')?.last ?? 0;

/** @returns matching events, oldest first, and where to read on: past those that did not match. */
export function eventsAfter(
  sql: Sql,
  after: number,
  filter: EventFilter,
  limit: number,
): { events: JobEvent[]; next: number } {
  const rows = sql.all<EventRow>(
    'SELECT * FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?',
    after,
    limit,
  );
  const events = rows
    .filter(
      (row) =>
        (filter.job === undefined || row.job === filter.job) &&
        (filter.group === undefined || row.grp === filter.group) &&
        (filter.queue === undefined || row.queue === filter.queue),
    )
    .map(({ grp, progress, cause, ...row }): JobEvent => ({
      ...row,
      ...(grp === null ? {} : { group: grp }),
      ...(cause ? { cause } : {}),
      ...(progress === null ? {} : { progress: JSON.parse(progress) as JobEvent['progress'] }),
    }));
  return { events, next: rows.at(-1)?.sequence ?? after };
}

export function trimEvents(sql: Sql): void {
  sql.run('DELETE FROM events WHERE sequence <= ?', lastSequence(sql) - EVENTS_KEPT);
}
