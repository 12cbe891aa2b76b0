/**
 * Gangs: all members are placed or none.
 *
 * Waiting until enough places are free at one moment would starve behind single jobs, so one gang
 * per queue may assemble: offers reserve places for its members until all have one, then they start
 * together. Only one gang per queue holds places, so two gangs never block each other. Between
 * queues, and for a gang that cannot be placed at all, the time limit of an assembly ends the
 * reservation; after it the gang waits as long again (longer each time) while other gangs assemble.
 *
 * A member that succeeds before the others is held: its success counts when all have succeeded. A
 * lost or failed member breaks the gang, and all members are tried again together.
 */
import { ASSEMBLY_MS } from '../../bounds.ts';
import type { JobRow } from '../job-row.ts';
import type { Transaction } from '../transaction.ts';

export interface GangRow {
  readonly id: number;
  readonly tenant: string;
  readonly name: string;
  readonly queue: string;
  readonly lane: number;
  readonly size: number;
  rank: number | null;
  not_before: number;
  assemblies: number;
  assembling_until: number | null;
  host: string | null;
  port: number | null;
}

export const gangById = ({ sql }: Transaction, id: number): GangRow => {
  const gang = sql.get<GangRow>('SELECT * FROM gangs WHERE id = ?', id);
  if (!gang) throw new Error(`Row ${id} of gangs is missing.`);
  return gang;
};

export const membersOf = ({ sql }: Transaction, gang: number): JobRow[] =>
  sql.all<JobRow>('SELECT * FROM jobs WHERE gang = ? ORDER BY gang_rank', gang);

/** A gang enters its lane when its last member is ready. */
export function memberBecameReady(transaction: Transaction, gang: number): void {
  const { size, lane, queue } = gangById(transaction, gang);
  const members = membersOf(transaction, gang);
  if (members.length < size || members.some((member) => member.state !== 'ready')) return;
  const rank = Math.min(...members.map((member) => member.rank ?? 0));
  transaction.sql.run('UPDATE gangs SET rank = ? WHERE id = ?', rank, gang);
  transaction.sql.run('UPDATE lanes SET ready = ready + 1 WHERE id = ?', lane);
  transaction.notifications.queues.add(queue);
}

/** A gang leaves its lane: it starts, or a member is no longer ready. */
export function memberLeftReady(transaction: Transaction, gang: number): void {
  const { lane, rank } = gangById(transaction, gang);
  if (rank === null) return;
  transaction.sql.run('UPDATE gangs SET rank = NULL, assembling_until = NULL WHERE id = ?', gang);
  transaction.sql.run('UPDATE lanes SET ready = ready - 1 WHERE id = ?', lane);
  release(transaction, gang);
}

function release({ sql }: Transaction, gang: number): void {
  sql.run('UPDATE jobs SET reserved_by = NULL, reserved_until = NULL WHERE gang = ?', gang);
}

/** Gives back the places of an assembly that took too long, so that other gangs can assemble. */
export function abandonAssembly(transaction: Transaction, gang: GangRow): void {
  const pause = ASSEMBLY_MS * 2 ** Math.min(gang.assemblies, 5);
  transaction.sql.run(
    `UPDATE gangs SET assembling_until = NULL, assemblies = assemblies + 1, not_before = ?
     WHERE id = ?`,
    transaction.now + pause,
    gang.id,
  );
  release(transaction, gang.id);
  transaction.notifications.queues.add(gang.queue);
}
