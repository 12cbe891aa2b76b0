/**
 * The counters that every transition adds to: events, jobs per queue and state, queued and running
 * jobs of a tenant, ready jobs per lane. They gather in memory and are written once per
 * transaction, or before a call that reads them: a row that every call rewrites is most of the cost
 * of a call.
 */
import type { Cause, JobState } from '../../contract.ts';
import { writeEvents, type UnnumberedEvent } from './event-log.ts';
import type { JobRow } from './job-row.ts';
import type { Sql } from './sql.ts';

interface TenantChange {
  queued: number;
  running: number;
  millicores: number;
  memoryBytes: number;
}

export interface Tally {
  readonly counts: Map<string, Map<JobState, number>>;
  readonly tenants: Map<string, TenantChange>;
  readonly lanes: Map<number, number>;
  readonly events: UnnumberedEvent[];
  /** Attempts that have ended. */
  readonly ended: { readonly queue: string; readonly outcome: 'succeeded' | Cause }[];
}

export const emptyTally = (): Tally => ({
  counts: new Map(),
  tenants: new Map(),
  lanes: new Map(),
  events: [],
  ended: [],
});

const waits = (state: JobState | undefined): boolean => state === 'blocked' || state === 'ready';

function addCount(tally: Tally, queue: string, state: JobState, by: number): void {
  let counts = tally.counts.get(queue);
  if (!counts) tally.counts.set(queue, (counts = new Map()));
  counts.set(state, (counts.get(state) ?? 0) + by);
}

function addTenant(tally: Tally, tenant: string, by: TenantChange): void {
  const sum = tally.tenants.get(tenant);
  if (!sum) {
    tally.tenants.set(tenant, { ...by });
    return;
  }
  sum.queued += by.queued;
  sum.running += by.running;
  sum.millicores += by.millicores;
  sum.memoryBytes += by.memoryBytes;
}

const addLane = (tally: Tally, lane: number, by: number): void => {
  tally.lanes.set(lane, (tally.lanes.get(lane) ?? 0) + by);
};

/** Notes that a job went from one state to another. */
export function tallyMove(
  tally: Tally,
  row: JobRow,
  from: JobState | undefined,
  to: JobState,
): void {
  if (from !== undefined) addCount(tally, row.queue, from, -1);
  addCount(tally, row.queue, to, 1);
  const queued = Number(waits(to)) - Number(waits(from));
  const running = Number(to === 'running') - Number(from === 'running');
  if (queued !== 0 || running !== 0) {
    addTenant(tally, row.tenant, {
      queued,
      running,
      millicores: running * row.millicores,
      memoryBytes: running * row.memory_bytes,
    });
  }
  const ready = Number(to === 'ready') - Number(from === 'ready');
  if (ready !== 0 && row.gang === null) addLane(tally, row.lane, ready);
}

export function addTally(batch: Tally, call: Tally): void {
  for (const [queue, counts] of call.counts) {
    for (const [state, by] of counts) addCount(batch, queue, state, by);
  }
  for (const [tenant, by] of call.tenants) addTenant(batch, tenant, by);
  for (const [lane, by] of call.lanes) addLane(batch, lane, by);
  for (const event of call.events) batch.events.push(event);
  for (const attempt of call.ended) batch.ended.push(attempt);
}

/** Writes the counts into their tables, and empties them. */
export function writeTally(sql: Sql, tally: Tally): void {
  writeEvents(sql, tally.events);
  for (const [queue, counts] of tally.counts) {
    for (const [state, by] of counts) {
      if (by === 0) continue;
      sql.run(
        'INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs',
        queue,
        state,
        by,
      );
    }
  }
  const outcomes = new Map<string, number>();
  for (const { queue, outcome } of tally.ended) {
    const both = `${outcome} ${queue}`;
    outcomes.set(both, (outcomes.get(both) ?? 0) + 1);
  }
  for (const [both, by] of outcomes) {
    const space = both.indexOf(' ');
    sql.run(
      'INSERT INTO outcomes VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts',
      both.slice(space + 1),
      both.slice(0, space),
      by,
    );
  }
  for (const [tenant, by] of tally.tenants) {
    sql.run(
      `UPDATE tenants SET queued = queued + ?, running = running + ?,
         millicores = millicores + ?, memory_bytes = memory_bytes + ? WHERE tenant = ?`,
      by.queued,
      by.running,
      by.millicores,
      by.memoryBytes,
      tenant,
    );
  }
  for (const [lane, by] of tally.lanes) {
    if (by !== 0) sql.run('UPDATE lanes SET ready = ready + ? WHERE id = ?', by, lane);
  }
  tally.counts.clear();
  tally.tenants.clear();
  tally.lanes.clear();
  tally.events.length = 0;
  tally.ended.length = 0;
}
