/** A job as its row, and as others see it. */
import type { Attempt, Cause, Job, JobSpec, JobState } from '../../contract.ts';
import type { JobView } from './job-view.ts';
import type { Sql } from './sql.ts';

export interface JobRow {
  readonly seq: number;
  readonly id: string;
  readonly spec: string;
  readonly queue: string;
  readonly tenant: string;
  readonly grp: string | null;
  readonly idempotency_key: string | null;
  readonly cache_key: string | null;
  readonly priority: number;
  readonly millicores: number;
  readonly memory_bytes: number;
  readonly lane: number;
  readonly gang: number | null;
  readonly gang_rank: number | null;
  readonly enqueued_at: number;
  readonly retention_ms: number;
  state: JobState;
  cause: Cause | null;
  message: string | null;
  ready_at: number | null;
  started_at: number | null;
  ended_at: number | null;
  waits_for: number;
  wait_until: number | null;
  deadline: number | null;
  expires_at: number | null;
  rank: number | null;
  attempts: number;
  failures: number;
  token: number | null;
  held: number;
  reserved_by: string | null;
  reserved_until: number | null;
  progress: string | null;
  result: string | null;
  cached_from: string | null;
  checkpoint: string | null;
}

const MUTABLE = [
  'state',
  'cause',
  'message',
  'ready_at',
  'started_at',
  'ended_at',
  'waits_for',
  'wait_until',
  'deadline',
  'expires_at',
  'rank',
  'attempts',
  'failures',
  'token',
  'held',
  'reserved_by',
  'reserved_until',
  'progress',
  'result',
  'cached_from',
  'checkpoint',
] as const satisfies readonly (keyof JobRow)[];

type Mutable = (typeof MUTABLE)[number];

/** A statement that writes these columns of a row. */
function saving(columns: readonly Mutable[]): (sql: Sql, row: JobRow) => void {
  const update = `UPDATE jobs SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE seq = ?`;
  return (sql, row) => {
    sql.run(update, ...columns.map((column) => row[column]), row.seq);
  };
}

export const saveRow = saving(MUTABLE);
/** What the start of an attempt changes. */
export const saveStarted = saving([
  'state',
  'cause',
  'message',
  'started_at',
  'rank',
  'attempts',
  'token',
  'reserved_by',
  'reserved_until',
]);
/** What the success of a job changes. */
export const saveSucceeded = saving([
  'state',
  'cause',
  'message',
  'ended_at',
  'wait_until',
  'deadline',
  'expires_at',
  'rank',
  'token',
  'held',
  'result',
  'cached_from',
]);

const INSERTED = [
  'id',
  'spec',
  'queue',
  'tenant',
  'grp',
  'idempotency_key',
  'cache_key',
  'priority',
  'millicores',
  'memory_bytes',
  'lane',
  'gang',
  'gang_rank',
  'enqueued_at',
  'retention_ms',
  'state',
  'ready_at',
  'waits_for',
  'wait_until',
  'deadline',
  'rank',
  'attempts',
  'failures',
] as const satisfies readonly (keyof JobRow)[];

const INSERT = `INSERT INTO jobs (${INSERTED.join(', ')}) VALUES (${INSERTED.map(() => '?').join(', ')})`;

/** @returns its number. */
export const insertRow = (sql: Sql, row: Omit<JobRow, 'seq'>): number =>
  sql.run(INSERT, ...INSERTED.map((column) => row[column])).lastId;

export const rowById = (sql: Sql, id: string): JobRow | undefined =>
  sql.get<JobRow>('SELECT * FROM jobs WHERE id = ?', id);

/** @throws Error when there is none: the caller holds a reference that the store keeps valid. */
export function rowBySeq(sql: Sql, seq: number): JobRow {
  const row = sql.get<JobRow>('SELECT * FROM jobs WHERE seq = ?', seq);
  if (!row) throw new Error(`Row ${seq} of jobs is missing.`);
  return row;
}

const specs = new WeakMap<JobRow, JobSpec>();

/** Parsed once per row that was read. */
export function specOf(row: JobRow): JobSpec {
  let spec = specs.get(row);
  if (!spec) specs.set(row, (spec = JSON.parse(row.spec) as JobSpec));
  return spec;
}

export const hasEnded = (state: JobState): boolean =>
  state === 'succeeded' || state === 'failed' || state === 'cancelled' || state === 'dead';

export interface AttemptRow {
  readonly token: number;
  readonly number: number;
  readonly worker: string;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly outcome: Attempt['outcome'] | null;
  readonly message: string | null;
  readonly usage: string | null;
}

const present = <T>(value: T | null): T | undefined => value ?? undefined;
const parsed = (json: string | null): unknown => (json === null ? undefined : JSON.parse(json));

function attemptOf(row: AttemptRow): Attempt {
  return {
    number: row.number,
    token: row.token,
    worker: row.worker,
    startedAt: row.started_at,
    endedAt: present(row.ended_at),
    outcome: present(row.outcome),
    message: present(row.message),
    usage: parsed(row.usage) as Attempt['usage'],
  };
}

/** The attempt that a job is at, where the caller has read or made it. */
const current = new WeakMap<JobRow, AttemptRow>();

/** Spares a query for the attempt; for a job at its first, which most never go beyond, the only one. */
export function noteAttempt(row: JobRow, attempt: AttemptRow): void {
  current.set(row, attempt);
}

/** The attempt whose lease the job has. */
export function currentAttempt(sql: Sql, row: JobRow): AttemptRow | undefined {
  const noted = current.get(row);
  if (noted?.token === row.token) return noted;
  return sql.get<AttemptRow>(
    'SELECT * FROM attempts WHERE token = ? AND lease_until IS NOT NULL',
    row.token,
  );
}

function attemptsOf(sql: Sql, row: JobRow): Attempt[] {
  if (row.attempts === 0) return [];
  const only = row.attempts === 1 ? current.get(row) : undefined;
  if (only) return [attemptOf(only)];
  return sql
    .all<AttemptRow>('SELECT * FROM attempts WHERE job = ? ORDER BY number', row.seq)
    .map(attemptOf);
}

export function viewOf(sql: Sql, row: JobRow): JobView {
  return {
    spec: row.spec,
    id: row.id,
    state: row.state,
    enqueuedAt: row.enqueued_at,
    readyAt: present(row.ready_at),
    startedAt: present(row.started_at),
    endedAt: present(row.ended_at),
    attempts: attemptsOf(sql, row),
    cause: present(row.cause),
    message: present(row.message),
    progress: parsed(row.progress) as Job['progress'],
    result: parsed(row.result) as Job['result'],
    cachedFrom: present(row.cached_from),
    checkpoint: present(row.checkpoint),
  };
}
