/** The workers that have announced themselves. */
import type { WorkerView } from '../../contract.ts';
import { DEFAULT_TOTAL, WORKER_SILENT_MS } from '../bounds.ts';
import type { Resources } from '../fair-share.ts';
import { millicores } from '../lane.ts';
import type { Sql } from './sql.ts';
import type { Transaction } from './transaction.ts';

type WorkerRow = Omit<WorkerView, 'queues' | 'labels' | 'total'> & {
  readonly queues: string;
  readonly labels: string;
  readonly millicores: number;
  readonly memoryBytes: number;
};

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
  return sql
    .all<WorkerRow>(
      `SELECT worker, host, queues, labels, millicores, memory_bytes AS memoryBytes, mode,
         seen_at AS seenAt, started_at AS startedAt, (SELECT count(*) FROM attempts
           WHERE lease_until IS NOT NULL AND attempts.worker = workers.worker) AS running
       FROM workers ORDER BY worker`,
    )
    .map(({ queues, labels, millicores, memoryBytes, ...row }) => ({
      ...row,
      queues: JSON.parse(queues) as string[],
      labels: JSON.parse(labels) as string[],
      total: { cores: millicores / 1000, memoryBytes },
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

export function removeSilent({ sql, now }: Transaction): void {
  sql.run('DELETE FROM workers WHERE seen_at < ?', now - WORKER_SILENT_MS);
}

export function fleetTotal(sql: Sql): Resources {
  const sum = sql.get<{ millicores: number | null; memory: number | null }>(
    'SELECT sum(millicores) AS millicores, sum(memory_bytes) AS memory FROM workers',
  );
  if (!sum?.millicores || !sum.memory) return DEFAULT_TOTAL;
  return { millicores: sum.millicores, memoryBytes: sum.memory };
}
