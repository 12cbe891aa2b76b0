/**
 * Every change of a job's state passes through here, which keeps the counts of queue, lane and
 * tenant true and says so in the event log.
 */
import type { JobState } from '../../contract.ts';
import { addEvent } from './event-log.ts';
import type { JobRow } from './job-row.ts';
import type { Turn } from './turn.ts';

const waits = (state: JobState | undefined): boolean => state === 'blocked' || state === 'ready';

function count({ sql }: Turn, queue: string, state: JobState, by: 1 | -1): void {
  sql.run(
    `INSERT INTO counts VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs`,
    queue,
    state,
    by,
  );
}

/** Changes the state in the row, not yet in the table: `saveRow` follows. */
export function move(turn: Turn, row: JobRow, to: JobState, from: JobState | undefined): void {
  const { sql } = turn;
  row.state = to;
  if (from !== undefined) count(turn, row.queue, from, -1);
  count(turn, row.queue, to, 1);
  const queued = Number(waits(to)) - Number(waits(from));
  const running = Number(to === 'running') - Number(from === 'running');
  if (queued !== 0 || running !== 0) {
    sql.run(
      `UPDATE tenants SET queued = queued + ?, running = running + ?,
         millicores = millicores + ?, memory_bytes = memory_bytes + ? WHERE tenant = ?`,
      queued,
      running,
      running * row.millicores,
      running * row.memory_bytes,
      row.tenant,
    );
  }
  const ready = Number(to === 'ready') - Number(from === 'ready');
  if (ready !== 0 && row.gang === null) {
    sql.run('UPDATE lanes SET ready = ready + ? WHERE id = ?', ready, row.lane);
  }
  addEvent(turn, row, 'state');
}
