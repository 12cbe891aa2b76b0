/**
 * Events with growing numbers, and listeners that read on from one. The events of a transaction are
 * one row: three rows for every job would cost as much as the job.
 */
import type { EventFilter, JobEvent } from '../../contract.ts';
import { EVENTS_KEPT } from '../bounds.ts';
import { isWanted } from '../listeners.ts';
import type { JobRow } from './job-row.ts';
import type { Sql } from './sql.ts';

export type UnnumberedEvent = Omit<JobEvent, 'sequence'>;

/** The parts of a transaction that an event changes. */
interface EventTransaction {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly tally: { readonly events: UnnumberedEvent[] };
  readonly notifications: { events: boolean };
}

export function addEvent(transaction: EventTransaction, row: JobRow, kind: JobEvent['kind']): void {
  transaction.tally.events.push({
    at: transaction.now,
    job: row.id,
    queue: row.queue,
    tenant: row.tenant,
    group: row.grp ?? undefined,
    kind,
    state: row.state,
    cause: row.cause ?? undefined,
    progress:
      kind === 'progress' && row.progress !== null
        ? (JSON.parse(row.progress) as JobEvent['progress'])
        : undefined,
  });
  transaction.notifications.events = true;
}

/** Most events in a row. */
const PAGE = 500;

export function writeEvents(sql: Sql, events: readonly UnnumberedEvent[]): void {
  if (events.length === 0) return;
  let last = lastSequence(sql);
  for (let from = 0; from < events.length; from += PAGE) {
    const page = events.slice(from, from + PAGE);
    last += page.length;
    sql.run('INSERT INTO events VALUES (?, ?)', last, JSON.stringify(page));
  }
}

export const lastSequence = (sql: Sql): number =>
  sql.get<{ last: number | null }>('SELECT max(last) AS last FROM events')?.last ?? 0;

/**
 * @returns matching events, oldest first, and the sequence to resume from, past events that did not
 * match.
 */
export function eventsAfter(
  sql: Sql,
  after: number,
  filter: EventFilter,
  rows: number,
): { events: JobEvent[]; next: number } {
  const found = sql.all<{ last: number; events: string }>(
    'SELECT * FROM events WHERE last > ? ORDER BY last LIMIT ?',
    after,
    rows,
  );
  const events = found
    .flatMap(({ last, events: json }) => {
      const here = JSON.parse(json) as UnnumberedEvent[];
      return here.map((event, index) => ({ ...event, sequence: last - here.length + index + 1 }));
    })
    .filter((event) => event.sequence > after && isWanted(event, filter));
  return { events, next: found.at(-1)?.last ?? after };
}

export function trimEvents(sql: Sql): void {
  sql.run('DELETE FROM events WHERE last <= ?', lastSequence(sql) - EVENTS_KEPT);
}
