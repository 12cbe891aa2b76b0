import { summaryOf, type Run, type RunEpoch, type RunSummary } from '@skein/api';
import type { Records } from '../contract.ts';
import { RETENTION } from '../retention.ts';
import type { Announce } from './changes.ts';
import type { Database } from './database.ts';

/** Comes before every run. */
const NEWEST = { startedAt: '~', id: '' };

export function runTable(
  database: Database,
  announce: Announce,
): Pick<Records, 'putRun' | 'runs' | 'run' | 'removeRun'> {
  const put = database.prepare(
    `INSERT INTO runs VALUES (:id, :status, :started, :updated, :summary, :epochs)
     ON CONFLICT (id) DO UPDATE SET status = excluded.status, started_at = excluded.started_at,
       updated_at = excluded.updated_at, summary = excluded.summary, epochs = excluded.epochs
     WHERE excluded.updated_at >= runs.updated_at`,
  );
  const trim = database.prepare(
    `DELETE FROM runs WHERE id IN (
       SELECT id FROM runs ORDER BY started_at DESC, id DESC LIMIT -1 OFFSET ${RETENTION.runs})`,
  );
  const newest = (where: string) =>
    database.prepare(
      `SELECT summary FROM runs WHERE (started_at, id) < (:startedAt, :id) ${where}
       ORDER BY started_at DESC, id DESC LIMIT :limit`,
    );
  const all = newest('');
  const ofStatus = newest('AND status = :status');
  const summary = database.prepare('SELECT summary FROM runs WHERE id = :id');
  const whole = database.prepare('SELECT summary, epochs FROM runs WHERE id = :id');
  const remove = database.prepare('DELETE FROM runs WHERE id = :id');

  return {
    async putRun(run) {
      return database.write('crash', () => {
        const { changes } = put.run({
          id: run.id,
          status: run.status,
          started: run.startedAt,
          updated: run.updatedAt,
          summary: JSON.stringify(summaryOf(run)),
          epochs: JSON.stringify(run.epochs),
        });
        trim.run();
        if (changes > 0) announce({ kind: 'run', id: run.id });
        const kept = summary.get({ id: run.id });
        // A run older than all kept ones is trimmed at once.
        return kept === undefined ? summaryOf(run) : summaryIn(kept);
      });
    },
    async runs({ status, limit, after: { startedAt, id } = NEWEST }) {
      return database.read(() => {
        const bounds = { startedAt, id, limit };
        const rows = status === undefined ? all.all(bounds) : ofStatus.all({ status, ...bounds });
        return rows.map(summaryIn);
      });
    },
    async run(id) {
      return database.read((): Run | undefined => {
        const row = whole.get({ id });
        if (row === undefined) return undefined;
        const { last: _, ...rest } = summaryIn(row);
        return { ...rest, epochs: JSON.parse(row['epochs'] as string) as RunEpoch[] };
      });
    },
    async removeRun(id) {
      return database.write('power-cut', () => {
        if (remove.run({ id }).changes === 0) return false;
        announce({ kind: 'run', id, removed: true });
        return true;
      });
    },
  };
}

function summaryIn(row: Readonly<Record<string, unknown>>): RunSummary {
  return JSON.parse(row['summary'] as string) as RunSummary;
}
