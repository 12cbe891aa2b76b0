/** Placing gangs: places are reserved offer by offer, and once all are there the gang starts. */
import { ASSEMBLY_MS } from '../../bounds.ts';
import { openAttempt } from './attempt.ts';
import { fits, hasLabels, occupy, type Capacity } from '../capacity.ts';
import { gangById, membersOf, memberLeftReady, type GangRow } from './gang.ts';
import { rowBySeq, specOf, viewOf, type JobRow } from '../job-row.ts';
import type { ClaimView } from '../job-view.ts';
import type { Transaction } from '../transaction.ts';

/** Members that started on this worker by another worker's offer, and that it has not fetched yet. */
export function deliverPlaced(transaction: Transaction, capacity: Capacity): void {
  const { sql } = transaction;
  const placed = sql.all<{ token: number; job: number }>(
    `SELECT token, job FROM attempts
     WHERE worker = ? AND lease_until IS NOT NULL AND delivered = 0 ORDER BY token LIMIT ?`,
    capacity.offer.worker,
    capacity.places,
  );
  for (const { token, job } of placed) {
    sql.run('UPDATE attempts SET delivered = 1 WHERE token = ?', token);
    const row = rowBySeq(sql, job);
    occupy(capacity, row);
    capacity.claims.push(memberClaim(transaction, row, token));
  }
}

function memberClaim(transaction: Transaction, row: JobRow, token: number): ClaimView {
  const { host, port } = gangById(transaction, row.gang ?? 0);
  return {
    job: viewOf(transaction.sql, row),
    token,
    attempt: row.attempts,
    ...(host !== null && port !== null ? { master: { host, port } } : {}),
  };
}

/** Places that this worker keeps for members stay kept, and out of this offer. */
export function keepReservations({ sql, now }: Transaction, capacity: Capacity): void {
  const { worker, leaseMs } = capacity.offer;
  const kept = sql.all<JobRow>(
    'UPDATE jobs SET reserved_until = ? WHERE reserved_by = ? RETURNING *',
    now + leaseMs,
    worker,
  );
  for (const row of kept) occupy(capacity, row);
}

/** Gangs that are being assembled take missing places from this offer. */
export function growAssemblies(
  transaction: Transaction,
  capacity: Capacity,
  queues: readonly string[],
): void {
  for (const queue of queues) {
    const gang = transaction.sql.get<GangRow>(
      'SELECT * FROM gangs WHERE queue = ? AND assembling_until IS NOT NULL',
      queue,
    );
    if (gang) grow(transaction, capacity, gang);
  }
}

/**
 * Begins to assemble the first gang of a lane, unless another gang of the queue is being assembled.
 * @param allowance how many more jobs the tenant may run.
 * @returns what the gang costs its tenant.
 */
export function beginAssembly(
  transaction: Transaction,
  capacity: Capacity,
  lane: { id: number; queue: string },
  allowance: number,
): { millicores: number; memoryBytes: number; jobs: number } | undefined {
  const { sql, now } = transaction;
  const busy = sql.get(
    'SELECT 1 FROM gangs WHERE queue = ? AND assembling_until IS NOT NULL',
    lane.queue,
  );
  if (busy) return undefined;
  const gang = sql.get<GangRow>(
    `SELECT * FROM gangs WHERE lane = ? AND rank IS NOT NULL AND not_before <= ? AND size <= ?
     ORDER BY rank, id LIMIT 1`,
    lane.id,
    now,
    allowance,
  );
  if (!gang) return undefined;
  const members = membersOf(transaction, gang.id);
  if (
    !members.some(
      (row) => fits(capacity, row) && hasLabels(capacity.offer, specOf(sql, row).requires),
    )
  ) {
    return undefined;
  }
  gang.assembling_until = now + ASSEMBLY_MS;
  sql.run('UPDATE gangs SET assembling_until = ? WHERE id = ?', gang.assembling_until, gang.id);
  grow(transaction, capacity, gang);
  return {
    millicores: members.reduce((sum, row) => sum + row.millicores, 0),
    memoryBytes: members.reduce((sum, row) => sum + row.memory_bytes, 0),
    jobs: members.length,
  };
}

function grow(transaction: Transaction, capacity: Capacity, gang: GangRow): void {
  const { sql, now } = transaction;
  const members = membersOf(transaction, gang.id);
  for (const row of members) {
    if (row.reserved_by !== null || !fits(capacity, row)) continue;
    if (!hasLabels(capacity.offer, specOf(sql, row).requires)) continue;
    occupy(capacity, row);
    row.reserved_by = capacity.offer.worker;
    row.reserved_until = now + capacity.offer.leaseMs;
    sql.run(
      'UPDATE jobs SET reserved_by = ?, reserved_until = ? WHERE seq = ?',
      row.reserved_by,
      row.reserved_until,
      row.seq,
    );
    if (row.gang_rank === 0) {
      const { host, port } = capacity.offer.address ?? { host: null, port: null };
      sql.run('UPDATE gangs SET host = ?, port = ? WHERE id = ?', host, port, gang.id);
    }
  }
  if (members.every((row) => row.reserved_by !== null)) start(transaction, capacity, gang, members);
}

function start(
  transaction: Transaction,
  capacity: Capacity,
  gang: GangRow,
  members: readonly JobRow[],
): void {
  const { worker } = capacity.offer;
  const leaseMs = new Map(
    members.map((row) => [row.seq, Math.max(1, (row.reserved_until ?? 0) - transaction.now)]),
  );
  const owners = new Map(members.map((row) => [row.seq, row.reserved_by ?? worker]));
  memberLeftReady(transaction, gang.id);
  transaction.sql.run('UPDATE gangs SET assemblies = 0, not_before = 0 WHERE id = ?', gang.id);
  const started = members.map((row) => {
    const owner = owners.get(row.seq) ?? worker;
    const token = openAttempt(transaction, row, {
      worker: owner,
      leaseMs: leaseMs.get(row.seq) ?? capacity.offer.leaseMs,
      delivered: owner === worker,
    });
    return { row, token, owner };
  });
  for (const { row, token, owner } of started) {
    if (owner === worker) capacity.claims.push(memberClaim(transaction, row, token));
  }
  transaction.notifications.queues.add(gang.queue);
}
