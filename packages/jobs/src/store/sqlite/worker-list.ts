/** The workers that have announced themselves. */
import type { WorkerView } from '../../contract.ts';
import { DEFAULT_TOTAL, WORKER_SILENT_MS } from '../bounds.ts';
import type { Resources } from '../fair-share.ts';
import { millicores } from '../lane.ts';
import type { Sql } from './sql.ts';
import type { Transaction } from './transaction.ts';

interface WorkerRow {
  readonly worker: string;
  readonly host: string;
  readonly queues: string;
  readonly labels: string;
  readonly millicores: number;
  readonly memory_bytes: number;
  readonly mode: WorkerView['mode'];
  readonly seen_at: number;
  readonly started_at: number;
}

export function registerWorker(
  { sql, now }: Transaction,
  worker: Omit<WorkerView, 'seenAt' | 'running'>,
): void {
  sql.run(
    'INSERT OR REPLACE INTO workers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    worker.worker,
    worker.host,
    JSON.stringify(worker.queues),
    JSON.stringify(worker.labels),
    millicores(worker.total.cores),
    worker.total.memoryBytes,
    worker.mode,
    now,
    worker.startedAt,
  );
}

/** Its leases run out by themselves; the places that it kept for gangs go back at once. */
export function removeWorker({ sql }: Transaction, worker: string): void {
  sql.run('DELETE FROM workers WHERE worker = ?', worker);
  sql.run(
    'UPDATE jobs SET reserved_by = NULL, reserved_until = NULL WHERE reserved_by = ?',
    worker,
  );
}

export function workers({ sql }: Transaction): WorkerView[] {
  return sql.all<WorkerRow>('SELECT * FROM workers ORDER BY worker').map((row) => ({
    worker: row.worker,
    host: row.host,
    queues: JSON.parse(row.queues) as string[],
    labels: JSON.parse(row.labels) as string[],
    total: { cores: row.millicores / 1000, memoryBytes: row.memory_bytes },
    running:
      sql.get<{ leases: number }>(
        'SELECT count(*) AS leases FROM attempts WHERE lease_until IS NOT NULL AND worker = ?',
        row.worker,
      )?.leases ?? 0,
    mode: row.mode,
    seenAt: row.seen_at,
    startedAt: row.started_at,
  }));
}

/** Records that the worker is alive. @returns false for a worker that is to claim no more jobs. */
export function seen({ sql, now }: Transaction, worker: string): boolean {
  const row = sql.get<{ mode: string }>(
    'UPDATE workers SET seen_at = ? WHERE worker = ? RETURNING mode',
    now,
    worker,
  );
  return row?.mode !== 'draining';
}

export function forgetSilent({ sql, now }: Transaction): void {
  sql.run('DELETE FROM workers WHERE seen_at < ?', now - WORKER_SILENT_MS);
}

/** The total capacity of the fleet. */
export function fleetTotal(sql: Sql): Resources {
  const sum = sql.get<{ millicores: number | null; memory: number | null }>(
    'SELECT sum(millicores) AS millicores, sum(memory_bytes) AS memory FROM workers',
  );
  if (!sum?.millicores || !sum.memory) return DEFAULT_TOTAL;
  return { millicores: sum.millicores, memoryBytes: sum.memory };
}
