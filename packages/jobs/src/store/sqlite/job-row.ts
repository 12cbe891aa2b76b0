/** A job as a row of its table, and as a view. */
import type { Attempt, Cause, Job, JobSpec, JobState } from '../../contract.ts';
import type { JobView } from './job-view.ts';
import type { Sql } from './sql.ts';

export interface JobRow {
  readonly seq: number;
  readonly id: string;
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
  /** JSON of its JobSpec, once it has been read from its own table. */
  spec?: string | undefined;
  /** The current attempt, once the caller has read or made it. */
  attempt?: AttemptRow;
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
/** Columns that the start of an attempt changes. */
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
/** Columns that the success of a job changes. */
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

/** @returns the row with its number. */
export function insertRow(sql: Sql, unsaved: Omit<JobRow, 'seq'>, spec: JobSpec): JobRow {
  const { lastId: seq } = sql.run(INSERT, ...INSERTED.map((column) => unsaved[column]));
  const json = JSON.stringify(spec);
  sql.run('INSERT INTO specs VALUES (?, ?)', seq, json);
  return { ...unsaved, seq, spec: json };
}

export const rowById = (sql: Sql, id: string): JobRow | undefined =>
  sql.get<JobRow>('SELECT * FROM jobs WHERE id = ?', id);

/** @throws Error when there is none: the caller holds a reference that the store keeps valid. */
export function rowBySeq(sql: Sql, seq: number): JobRow {
  const row = sql.get<JobRow>('SELECT * FROM jobs WHERE seq = ?', seq);
  if (!row) throw new Error(`Row ${seq} of jobs is missing.`);
  return row;
}

function specText(sql: Sql, row: JobRow): string {
  row.spec ??= sql.get<{ spec: string }>('SELECT spec FROM specs WHERE seq = ?', row.seq)?.spec;
  if (row.spec === undefined) throw new Error(`The spec of job ${row.id} is missing.`);
  return row.spec;
}

export const specOf = (sql: Sql, row: JobRow): JobSpec => JSON.parse(specText(sql, row)) as JobSpec;

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

export const runningAttempt = (
  token: number,
  number: number,
  worker: string,
  started_at: number,
): AttemptRow => ({
  token,
  number,
  worker,
  started_at,
  ended_at: null,
  outcome: null,
  message: null,
  usage: null,
});

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

/** The attempt whose lease the job has. */
export function currentAttempt(sql: Sql, row: JobRow): AttemptRow | undefined {
  if (row.attempt && row.attempt.token === row.token) return row.attempt;
  return sql.get<AttemptRow>(
    'SELECT * FROM attempts WHERE token = ? AND lease_until IS NOT NULL',
    row.token,
  );
}

function attemptsOf(sql: Sql, row: JobRow): Attempt[] {
  if (row.attempts === 0) return [];
  // Most jobs never go beyond their first, which spares a query.
  if (row.attempts === 1 && row.attempt) return [attemptOf(row.attempt)];
  return sql
    .all<AttemptRow>('SELECT * FROM attempts WHERE job = ? ORDER BY number', row.seq)
    .map(attemptOf);
}

export function viewOf(sql: Sql, row: JobRow): JobView {
  return {
    spec: specText(sql, row),
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
